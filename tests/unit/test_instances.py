"""What a process reports of itself: its conditions, and its document in `instances`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from order_runtime.documents.instances import (
    KEY_REFUSED,
    MAX_TEXT,
    RIGHTS_MISSING,
    WEBHOOKS_FILE_REFUSED,
    Condition,
    Identity,
    ReportedState,
    condition_of,
    end_update,
    heartbeat_update,
)
from order_runtime.observability.conditions import FORGOTTEN_AFTER, MAX_CONDITIONS, Conditions
from order_runtime.process.errors import RequirementNotMet
from order_runtime.process.service_runner import reason_of_end
from order_runtime.process.signals import StopRequested

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def conditions(clock: Clock) -> Conditions:
    return Conditions(clock)


def test_what_lasts_keeps_the_time_at_which_it_began(conditions: Conditions, clock: Clock) -> None:
    conditions.begins(RIGHTS_MISSING, "Kafka", "READ on topic orders.commands")
    clock.now += timedelta(hours=1)
    conditions.begins(RIGHTS_MISSING, "Kafka", "READ on topic orders.events")
    conditions.begins(WEBHOOKS_FILE_REFUSED)
    conditions.ends(WEBHOOKS_FILE_REFUSED)
    conditions.ends(RIGHTS_MISSING, "MongoDB")

    assert conditions.current() == [
        Condition(RIGHTS_MISSING, "Kafka", NOW, "READ on topic orders.events")
    ]


def test_what_happens_is_counted_and_forgotten_after_a_while(
    conditions: Conditions, clock: Clock
) -> None:
    conditions.happened(KEY_REFUSED, "k1")
    clock.now += FORGOTTEN_AFTER
    conditions.happened(KEY_REFUSED, "k1")
    [seen] = conditions.current()
    assert (seen.count, seen.since, seen.last_at) == (2, NOW, NOW + FORGOTTEN_AFTER)

    clock.now += FORGOTTEN_AFTER + timedelta(seconds=1)
    assert conditions.current() == []
    conditions.happened(KEY_REFUSED, "k1")
    assert [(it.count, it.since) for it in conditions.current()] == [(1, clock.now)]


def test_there_are_never_more_than_a_few(conditions: Conditions) -> None:
    for number in range(10 * MAX_CONDITIONS):
        conditions.happened(KEY_REFUSED, f"k{number}")

    assert len(conditions.current()) == MAX_CONDITIONS


def test_a_heartbeat_replaces_the_document_and_its_texts_are_no_expressions() -> None:
    """A sentence of the webhooks file may begin with a dollar sign; its length has a bound."""
    identity = Identity("gateway", "gateway-1", "1.0", "pod-1", "127.0.0.1:8081", 7, NOW)
    refused = Condition(WEBHOOKS_FILE_REFUSED, "", NOW, "$" * 10_000)
    counted = Condition(KEY_REFUSED, "k1", NOW, count=3, last_at=NOW)
    state = ReportedState(NOW, ready=True, waits_for={"kafka": NOW}, conditions=[refused, counted])

    [stage] = heartbeat_update(identity, state)

    literal, now = stage["$replaceWith"]["$mergeObjects"]
    document = literal["$literal"]
    assert now == {"heartbeatAt": "$$NOW"}
    assert document["_id"] == "gateway/gateway-1"
    assert document["waitsFor"] == [{"dependency": "kafka", "since": NOW}]
    found = [condition_of(it) for it in document["conditions"]]
    assert found == [Condition(WEBHOOKS_FILE_REFUSED, "", NOW, "$" * MAX_TEXT), counted]


def test_the_end_says_why_unless_it_was_asked_for() -> None:
    [asked] = end_update(reason_of_end(StopRequested()))
    [refused] = end_update(reason_of_end(RequirementNotMet("MongoDB lacks an index.")))
    [crashed] = end_update(reason_of_end(ExceptionGroup("", [KeyError("a name")])))

    assert "failure" not in asked["$set"]
    assert refused["$set"]["failure"] == {"$literal": "MongoDB lacks an index."}
    assert crashed["$set"]["failure"] == {"$literal": "crashed: KeyError"}
