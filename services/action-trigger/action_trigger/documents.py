"""A delivery at rest: its document, and what an attempt changes of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from bson import Binary
from pymongo import UpdateOne

from action_trigger.delivery import (
    DELIVERED,
    DISABLED,
    FAILED,
    PENDING,
    Attempt,
    Head,
    Recorded,
    Settled,
)
from action_trigger.webhooks import Delivered, Disabled, Failed, Outcome, Retry
from order_contracts.order import ActionName
from order_runtime.mongo import Document
from order_runtime.records import Record

RETENTION: Final = timedelta(days=30)


def new(item: Recorded, now: datetime) -> Document:
    record = item.record
    document = {
        "_id": item.action_id,
        "jobId": item.job_id,
        "orderId": item.order_id,
        "partition": record.partition,
        "offset": record.offset,
        "action": str(item.action),
        "body": item.body,
        "size": len(item.body),
        "state": PENDING,
        "attempts": [],
        "scheduled": 0,
        "dueAt": now,
        "createdAt": now,
        "expireAt": now + RETENTION,
        # For the dead letter, which holds the original bytes.
        "record": {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "at": record.at,
            "key": _binary(record.key),
            "value": _binary(record.value),
            "headers": [[name, _binary(value)] for name, value in record.headers],
        },
    }
    return document | ({"traceparent": item.traceparent} if item.traceparent else {})


def _binary(value: bytes | None) -> Binary | None:
    return None if value is None else Binary(value)


def record_of(document: Document) -> Record:
    headers = tuple((name, value) for name, value in document["headers"])
    return Record(**(document | {"headers": headers}))


def head_of(document: Document) -> Head:
    return Head(
        id=document["_id"],
        order_id=document["orderId"],
        partition=document["partition"],
        offset=document["offset"],
        action=ActionName(document["action"]),
        size=document["size"],
        attempts=len(document["attempts"]),
        scheduled=document["scheduled"],
        due_at=document["dueAt"],
        created_at=document["createdAt"],
    )


def update_of(attempt: Attempt) -> UpdateOne:
    """Set the attempt at its own index, so that a repeat after a lost answer adds no second."""
    head = attempt.head
    tried: dict[str, Any] = {
        "at": attempt.at,
        "state": _state(attempt.outcome),
        "durationMs": round(attempt.duration.total_seconds() * 1000),
        "status": attempt.status,
        "answer": attempt.answer,
    }
    fields = {
        f"attempts.{head.attempts}": tried,
        "scheduled": head.scheduled + 1,
        **_consequence(attempt.outcome, attempt.at + attempt.duration),
    }
    return UpdateOne({"_id": head.id, "state": PENDING}, {"$set": fields})


def _state(outcome: Outcome) -> str:
    match outcome:
        case Delivered():
            return DELIVERED
        case Failed():
            return FAILED
        case Disabled():
            return DISABLED
        case Retry():
            return PENDING


def _consequence(outcome: Outcome, now: datetime) -> dict[str, Any]:
    match outcome:
        case Retry(at):
            return {"dueAt": at}
        case Disabled():
            return {"state": DISABLED}
        case Failed(reason):
            return {"state": FAILED, "reason": reason, "settledAt": now, "announced": False}
        case Delivered():
            return {"state": DELIVERED, "settledAt": now, "announced": False}


def settled_of(document: Document) -> Settled:
    last = document["attempts"][-1]
    return Settled(
        id=document["_id"],
        job_id=document["jobId"],
        order_id=document["orderId"],
        action=ActionName(document["action"]),
        state=document["state"],
        attempts=len(document["attempts"]),
        status=last["status"],
        reason=document.get("reason"),
        at=document["settledAt"],
        traceparent=document.get("traceparent"),
    )
