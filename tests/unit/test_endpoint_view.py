"""What an operator is told of an endpoint, from what is stored of it and of its deliveries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from order_operations.deliveries.endpoint_view import (
    Backlog,
    LastAnswer,
    answer_of_attempts,
    endpoint_of,
)

NOON = datetime(2025, 11, 28, 12, tzinfo=UTC)
SOON = NOON + timedelta(seconds=30)
NOTHING = Backlog(0, None, None)
DOCUMENT = {"_id": "default", "host": "shop.example", "actions": ["Custom"]}


def circuit(worker: str, since: datetime, status: int | None = 500) -> dict[str, Any]:
    return {
        "worker": worker,
        "since": since,
        "probeAt": since + timedelta(seconds=30),
        "failures": 10,
        "answeredAt": since,
        "status": status,
        "reason": None if status else "timeout",
    }


def test_an_endpoint_of_which_nothing_is_known_is_enabled_and_answers() -> None:
    found = endpoint_of(DOCUMENT, NOTHING)
    assert (found.state, found.circuit, found.last_status) == ("enabled", "closed", None)
    assert (found.next_probe_at, found.oldest_waiting) == (None, None)


def test_the_circuits_of_all_workers_are_one_with_the_next_probe_of_any() -> None:
    stored = DOCUMENT | {"circuits": [circuit("b", SOON, None), circuit("a", NOON)]}
    found = endpoint_of(stored, NOTHING)
    assert (found.circuit, found.circuit_workers) == ("open", ("a", "b"))
    assert (found.circuit_since, found.next_probe_at) == (NOON, SOON)
    assert (found.last_answer_at, found.last_status, found.last_reason) == (SOON, None, "timeout")


def test_the_last_answer_is_the_latest_that_is_known() -> None:
    stored = DOCUMENT | {"circuits": [circuit("a", NOON)]}
    found = endpoint_of(stored, Backlog(3, {"_id": "x", "createdAt": NOON}, answer(SOON, 204)))
    assert (found.last_answer_at, found.last_status) == (SOON, 204)
    assert (found.waiting, found.oldest_waiting, found.oldest_waiting_at) == (3, "x", NOON)


def answer(at: datetime, status: int) -> LastAnswer:
    return LastAnswer(at, status, None)


@pytest.mark.parametrize(
    ("attempts", "found"),
    [
        ([], None),
        ([{"at": NOON, "status": 204, "answer": "personal"}], LastAnswer(NOON, 204, None)),
        ([{"at": NOON, "status": None, "answer": "timeout"}], LastAnswer(NOON, None, "timeout")),
    ],
)
def test_of_an_answer_only_its_status_is_told_or_why_there_was_none(
    attempts: list[dict[str, Any]], found: LastAnswer | None
) -> None:
    assert answer_of_attempts(attempts) == found
