"""
Everything that must be true of a history, whatever was broken while it was made. Pure.

`check(history)` returns the violations. The laws are asked in the order of cause and effect, and an
order that broke one isn't asked about by the next: what follows from a lost command is no news.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from support import (
    laws_actions,
    laws_calls,
    laws_enrichment,
    laws_erasure,
    laws_events,
    laws_jobs,
    laws_letters,
    laws_orders,
)
from support.evidence import Evidence, Finding, Violation
from support.history import History

Law = Callable[[Evidence], Iterator[Finding]]

LAWS: Final[Sequence[Law]] = (
    laws_calls.what_kafka_acknowledged_is_in_the_log,
    laws_calls.what_was_accepted_is_in_the_log,
    laws_calls.what_was_refused_is_not_in_the_log,
    laws_calls.what_got_no_answer_is_one_command_at_most,
    laws_jobs.every_command_has_one_job,
    laws_jobs.only_one_order_is_ever_created,
    laws_jobs.versions_only_grow,
    laws_jobs.every_command_is_applied_once,
    laws_jobs.a_rejected_duplicate_names_its_owner,
    laws_jobs.every_job_ends_as_the_model_says,
    laws_jobs.an_idempotency_key_belongs_to_its_first_command,
    laws_jobs.what_was_answered_stays_true,
    laws_orders.the_stored_orders_are_the_models,
    laws_letters.what_is_no_command_is_a_dead_letter_and_nothing_else,
    laws_events.every_outcome_is_announced,
    laws_events.an_event_keeps_its_meaning,
    laws_events.no_order_goes_back_in_version,
    laws_events.an_event_carries_the_order_as_it_was,
    laws_erasure.no_order_of_an_erased_contact_is_left,
    laws_erasure.only_orders_of_erased_contacts_are_deleted,
    laws_erasure.nothing_says_who_was_erased,
    laws_enrichment.every_order_is_looked_at,
    laws_enrichment.the_links_are_the_models,
    laws_enrichment.a_missing_contact_shows_in_the_job,
    laws_enrichment.every_enrichment_is_announced,
    laws_actions.every_due_action_was_delivered,
    laws_actions.no_action_was_sent_that_was_not_due,
    laws_actions.an_action_comes_twice_only_after_a_fault,
    laws_actions.the_job_tells_what_became_of_its_action,
    laws_actions.every_delivery_is_announced,
    laws_erasure.no_action_of_an_erased_contact_is_sent_later,
    laws_enrichment.the_integration_log_says_what_is_due,
)


def check(history: History) -> list[Violation]:
    """Return every violation, the cause before what follows from it."""
    evidence, broken = Evidence(history), set[str]()
    violations: list[Violation] = []
    for law in LAWS:
        found = [it for it in law(evidence) if it.order_id not in broken]
        broken |= {it.order_id for it in found if it.order_id is not None}
        violations += [Violation(law.__name__, it.said, it.order_id, it.job_id) for it in found]
    return violations


def told(violations: Sequence[Violation], limit: int = 20) -> str:
    """Return what a failing test shows."""
    shown = "\n".join(str(it) for it in violations[:limit])
    return f"{len(violations)} violations\n{shown}"
