"""The report of a nemesis run: recovery time by fault, and violations by promise."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Final

from support.builders.raw_records import COMMANDS_TOPIC
from support.faults.nemesis import FaultResult
from support.history.journal import accepted_commands
from support.laws.actions import spans_a_fault
from support.laws.evidence import Evidence, Violation
from support.model.log_reader import ENRICHER_SOURCE

PROMISES: Final[Mapping[str, frozenset[str]]] = {
    "lost": frozenset(
        {
            "what_kafka_acknowledged_is_in_the_log",
            "what_was_accepted_is_in_the_log",
            "every_command_has_one_job",
        }
    ),
    "doubled": frozenset(
        {
            "what_got_no_answer_is_one_command_at_most",
            "only_one_order_is_ever_created",
            "every_command_is_applied_once",
        }
    ),
    "out of order": frozenset({"versions_only_grow", "no_order_goes_back_in_version"}),
    "jobs without end": frozenset({"every_job_ends_as_the_model_says", "every_order_is_looked_at"}),
    "taken from others by an erasure": frozenset(
        {
            "only_orders_of_erased_contacts_are_deleted",
            "no_action_of_an_erased_contact_is_sent_later",
        }
    ),
    "lost by a merge": frozenset({"a_merge_loses_no_order"}),
    "left of erased contacts": frozenset(
        {"no_order_of_an_erased_contact_is_left", "nothing_says_who_was_erased"}
    ),
    "webhooks lost": frozenset({"every_due_action_was_delivered"}),
    "webhooks twice, unexplained": frozenset({"an_action_comes_twice_only_after_a_fault"}),
}
"""The laws behind each promise; violations of all other laws are counted together."""
OTHERS: Final = "other laws broken"


def fault_lines(results: Sequence[FaultResult], not_injected: Mapping[str, str]) -> Iterator[str]:
    """Yield the table of faults: how often each was injected, and seconds to recover."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    for it in results:
        times[it.name].append(it.recovery_seconds)
    yield f"{'fault':<44}{'times':>6}{'median s':>10}{'worst s':>10}"
    for name, seconds in times.items():
        yield f"{name:<44}{len(seconds):>6}{median(seconds):>10.1f}{max(seconds):>10.1f}"
    for name, why in not_injected.items():
        if name not in times:
            yield f"{name:<44}  not injected: {why}"


def promise_lines(evidence: Evidence, violations: Sequence[Violation]) -> Iterator[str]:
    """Yield the amount of load, and the number of violations of each promise."""
    yield from (f"{name:<44}{count:>6}" for name, count in load_counts(evidence).items())
    broken = Counter(_promise(it.law) for it in violations)
    yield from (f"{name:<44}{broken[name]:>6}" for name in (*PROMISES, OTHERS))
    twice = [webhooks for webhooks in evidence.webhooks.values() if len(webhooks) > 1]
    explained = sum(spans_a_fault(webhooks, evidence.history.faults) for webhooks in twice)
    yield f"{'webhooks more than once':<44}{len(twice):>6}, {explained} of them across a fault"


def load_counts(evidence: Evidence) -> dict[str, int]:
    history = evidence.history
    began = min((it.at for it in history.records[COMMANDS_TOPIC]), default=0)
    published = [
        it for it in history.publications if it.topic == COMMANDS_TOPIC and it.partition_offset
    ]
    return {
        "commands accepted over HTTP": sum(
            len(list(accepted_commands(it))) for it in history.calls
        ),
        "commands published directly": len(published),
        "records in orders.commands": len(history.records[COMMANDS_TOPIC]),
        "jobs": len(evidence.jobs),
        "webhooks received": len(history.webhooks),
        "contacts that came late": sum(it.first_seen > began for it in evidence.contact_histories),
        "contacts erased": sum(it.erased_at is not None for it in evidence.contact_histories),
        "orders deleted with them": sum(
            it.source.record.header("ce_source") == ENRICHER_SOURCE
            for it in evidence.replay.jobs.values()
        ),
    }


def _promise(law: str) -> str:
    return next((name for name, laws in PROMISES.items() if law in laws), OTHERS)
