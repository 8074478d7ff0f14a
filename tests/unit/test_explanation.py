"""What is said of where an order is, from documents as they are stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from order_operations.deliveries.endpoint_view import Backlog, endpoint_of
from order_operations.explanation.records import Kind, Records, Subject
from order_operations.explanation.standing import standing
from order_operations.explanation.timeline import timeline

AT = datetime(2025, 11, 28, 10, tzinfo=UTC)
NOW = AT + timedelta(hours=1)
JOB = {
    "_id": "j-1",
    "orderId": "o-1",
    "operation": "RegisterOrder",
    "at": AT,
    "version": 1,
    "action": {"action": "ConfirmOrder"},
}
FIRED = {"_id": "j-1", "state": "done", "action": "fired", "at": AT}
PENDING = {
    "_id": "d-1",
    "jobId": "j-1",
    "action": "ConfirmOrder",
    "state": "pending",
    "attempts": [],
    "dueAt": AT,
    "createdAt": AT,
}
ATTEMPT = {"at": AT, "status": None, "durationMs": 15_000}
ENDPOINT: dict[str, Any] = {"_id": "default", "actions": ["ConfirmOrder"], "host": "example.com"}
CIRCUIT = {
    "worker": "action-trigger-1",
    "since": AT,
    "probeAt": AT + timedelta(seconds=30),
    "answeredAt": AT,
    "status": 500,
    "reason": None,
}
LETTER = {
    "topic": "orders.events",
    "code": "InternalError",
    "service": "enricher",
    "orderId": "o-1",
    "jobId": "j-1",
    "at": AT,
    "state": "open",
}
RECORDS = Records(
    subject=Subject(Kind.ORDER, "o-1", "o-1"),
    order={"_id": "o-1", "version": 1, "order": {"status": "InProgress"}},
    link={"_id": "o-1", "jobId": "j-1", "missing": []},
    jobs=[JOB],
    enrichments={"j-1": FIRED},
)


def said(**facts: Any) -> str:
    return standing(replace(RECORDS, **facts), NOW).sentence


def delivery(**fields: Any) -> dict[str, Any]:
    return {"j-1": PENDING | fields}


def endpoint(**fields: Any) -> dict[str, Any]:
    return {"ConfirmOrder": endpoint_of(ENDPOINT | fields, Backlog(0, None, None))}


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"enrichments": {}}, "the enricher has not checked RegisterOrder of"),
        (
            {"enrichments": {}, "letters": [LETTER]},
            "its record of orders.events is a dead letter (InternalError): "
            "`orders dlq replay --topic orders.events --key o-1`",
        ),
        (
            {"enrichments": {}, "letters": [LETTER | {"state": "replayed"}]},
            "the enricher has not checked RegisterOrder of",
        ),
        ({}, "ConfirmOrder was fired, and waits for the action-trigger to read it"),
        ({"deliveries": delivery()}, "was due at 2025-11-28T10:00:00.000Z, and was not sent yet"),
        (
            {"deliveries": delivery(attempts=[ATTEMPT], dueAt=NOW + timedelta(minutes=5))},
            "is sent again: it is due at 2025-11-28T11:05:00.000Z, after 1 attempt with no answer",
        ),
        ({"deliveries": delivery(parked=True)}, "waits until earlier actions of the order"),
        (
            {
                "deliveries": delivery(),
                "endpoints": endpoint(state="disabled", by="410", since=AT),
            },
            "the endpoint default, which is disabled by 410 since 2025-11-28T10:00:00.000Z: "
            "`orders deliveries enable default` opens it",
        ),
        (
            {"deliveries": delivery(), "endpoints": endpoint(state="paused", by="operator")},
            "which is paused by operator: `orders deliveries resume default` opens it",
        ),
        (
            {"deliveries": delivery(), "endpoints": endpoint(circuits=[CIRCUIT])},
            "whose circuit is open since 2025-11-28T10:00:00.000Z, the last attempt with "
            "status 500, probed at 2025-11-28T10:00:30.000Z",
        ),
        (
            {"deliveries": delivery(state="failed", since=AT, reason="The endpoint answered 400.")},
            "failed for good (The endpoint answered 400): `orders deliveries replay d-1`",
        ),
        (
            {
                "link": {"missing": [{"code": "ArticleMissing", "reference": "sku-1"}]},
                "deliveries": delivery(state="delivered", since=AT),
            },
            "nothing is waited for; an article that it names is not known (sku-1).",
        ),
    ],
)
def test_the_sentence_names_what_is_waited_for(facts: dict[str, Any], sentence: str) -> None:
    assert sentence in said(**facts)


def test_a_deleted_order_waits_for_nothing() -> None:
    gone = {"_id": "o-1", "version": 2, "deletedAt": AT}
    deletion = {"_id": "j-2", "operation": "DeleteOrder", "at": AT, "version": 2}
    jobs = [JOB, deletion]
    found = standing(replace(RECORDS, order=gone, jobs=jobs, deliveries=ended()), NOW)
    assert found.sentence.startswith("The order was deleted at 2025-11-28T10:00:00.000Z;")
    assert not found.waits


def ended() -> dict[str, Any]:
    return delivery(state="delivered", since=AT)


def test_at_the_same_time_a_cause_comes_before_its_effect() -> None:
    told = timeline(replace(RECORDS, deliveries=ended()))
    assert [it.by for it in told] == ["order-writer", "enricher", *["action-trigger"] * 2]


def test_a_dead_letter_is_told_with_its_code() -> None:
    what = [(it.by, it.what) for it in timeline(replace(RECORDS, letters=[LETTER]))]
    assert ("enricher", "A record of orders.events became a dead letter: InternalError.") in what


def test_an_erased_delivery_says_so() -> None:
    erased = delivery(state="dropped", since=AT, erasedAt=AT)
    what = [it.what for it in timeline(replace(RECORDS, deliveries=erased))]
    assert "ConfirmOrder was dropped: its contact was erased." in what
