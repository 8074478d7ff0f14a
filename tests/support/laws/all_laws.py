"""
All laws that a history must keep, whatever faults were injected. Pure.

`check(history)` returns the violations. Laws run in the order of cause and effect; an order that
broke one is left out by the later ones, so that a lost command is reported once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from support.history.history import History
from support.laws import actions, calls, dead_letters, enrichment, erasure, events, jobs, orders
from support.laws.evidence import Evidence, Finding, Violation

Law = Callable[[Evidence], Iterator[Finding]]

LAWS: Final[Sequence[Law]] = (
    calls.what_kafka_acknowledged_is_in_the_log,
    calls.what_was_accepted_is_in_the_log,
    calls.what_was_refused_is_not_in_the_log,
    calls.what_got_no_answer_is_one_command_at_most,
    jobs.every_command_has_one_job,
    jobs.only_one_order_is_ever_created,
    jobs.versions_only_grow,
    jobs.every_command_is_applied_once,
    jobs.a_rejected_duplicate_names_its_owner,
    jobs.every_job_ends_as_the_model_says,
    jobs.an_idempotency_key_belongs_to_its_first_command,
    jobs.what_was_answered_stays_true,
    orders.the_stored_orders_are_the_models,
    dead_letters.what_is_no_command_is_a_dead_letter_and_nothing_else,
    dead_letters.every_dead_letter_has_a_document_that_says_nothing_of_its_value,
    events.every_outcome_is_announced,
    events.an_event_keeps_its_meaning,
    events.no_order_goes_back_in_version,
    events.an_event_carries_the_order_as_it_was,
    erasure.no_order_of_an_erased_contact_is_left,
    erasure.only_orders_of_erased_contacts_are_deleted,
    erasure.a_merge_loses_no_order,
    erasure.nothing_says_who_was_erased,
    enrichment.every_order_is_looked_at,
    enrichment.the_links_are_the_models,
    enrichment.a_missing_contact_shows_in_the_job,
    enrichment.every_enrichment_is_announced,
    actions.every_due_action_was_delivered,
    actions.no_action_was_sent_that_was_not_due,
    actions.an_action_comes_twice_only_after_a_fault,
    actions.the_job_tells_what_became_of_its_action,
    actions.every_delivery_is_announced,
    erasure.no_action_of_an_erased_contact_is_sent_later,
    enrichment.the_integration_log_says_what_is_due,
)


def check(history: History) -> list[Violation]:
    """Return all violations; of one order only those of the first law that it broke."""
    evidence, broken = Evidence(history), set[str]()
    violations: list[Violation] = []
    for law in LAWS:
        found = [it for it in law(evidence) if it.order_id not in broken]
        broken |= {it.order_id for it in found if it.order_id is not None}
        violations += [Violation(law.__name__, it.message, it.order_id, it.job_id) for it in found]
    return violations


def report(violations: Sequence[Violation], limit: int = 20) -> str:
    """Return the number of violations of each law and the first of them, for a failing test."""
    counts = Counter(it.law for it in violations)
    shown = "\n".join(str(it) for it in violations[:limit])
    return f"{len(violations)} violations, {dict(counts)}\n{shown}"
