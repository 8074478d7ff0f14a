"""
The documents of deliveries, and the updates by which an attempt changes them.

The order is kept once, in the action's `record`, of which the webhook's body is made for each
attempt; documents of earlier releases have the `body` as well. Only `contactId`, `record`, `body`
and `attempts[].answer` may hold personal data. The updates for replays and erasures are in
`order_runtime.documents.deliveries`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pymongo import UpdateOne

from action_trigger.domain.delivery import Attempt, EndedDelivery, PendingDelivery, ReceivedAction
from action_trigger.domain.retry_policy import AttemptOutcome, Delivered, Disabled, Failed, Retry
from action_trigger.domain.webhooks import webhook_body
from order_contracts.decoding import UnreadableDocument
from order_contracts.order import ActionName
from order_contracts.trace_context import well_formed
from order_runtime.documents.deliveries import DELIVERED, DROPPED, FAILED, PENDING, RETENTION
from order_runtime.documents.document import field, optional
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import ACTION_DELIVERIES, Document
from order_runtime.process.unreadable import readable

PENDING_FIELDS: Final = {
    **dict.fromkeys(("orderId", "partition", "offset", "action", "size"), 1),
    **dict.fromkeys(("attempts.outcome", "scheduled", "dueAt", "createdAt", "startedAt"), 1),
    **dict.fromkeys(("parked", "acceptedAt", "traceparent"), 1),
    "firedAt": "$record.at",  # a path of its own: some queries read the whole record as well
    "bodyType": {"$type": "$body"},
    "recordType": {"$type": "$record"},
}
"""What is read of a pending delivery: of the content of its webhook the types alone."""
CONTENT_FIELDS: Final = dict.fromkeys(("body", "record.value", "acceptedAt"), 1)
"""What the body of a webhook is made of."""


def new_delivery(item: ReceivedAction, now: datetime) -> Document:
    record = item.record
    document = {
        "_id": item.action_id,
        "jobId": item.job_id,
        "orderId": item.order_id,
        "partition": record.partition,
        "offset": record.offset,
        "action": str(item.action),
        "contactId": item.contact_id,
        "registeredAt": item.registered_at,
        "acceptedAt": item.accepted_at,
        "size": len(record.value or b""),
        "state": PENDING,
        "attempts": [],
        "scheduled": 0,
        "dueAt": now,
        "createdAt": now,
        "startedAt": now,
        "record": record_document(record),
    }
    return document | ({"traceparent": item.traceparent} if item.traceparent else {})


def recorded_delivery(item: ReceivedAction, now: datetime) -> tuple[PendingDelivery, str] | None:
    """
    Return what would be read back of `new_delivery`, and the body of the webhook.

    None, and a report, where none can be made of the action, as when it is read back.
    """
    record, at, accepted_at = item.record, _as_stored(now), _as_stored(item.accepted_at)
    body = readable(
        ACTION_DELIVERIES,
        {"_id": item.action_id},
        lambda _: webhook_body(record.value or b"", accepted_at),
    )
    if body is None:
        return None
    pending = PendingDelivery(
        id=item.action_id,
        order_id=item.order_id,
        partition=record.partition,
        offset=record.offset,
        action=item.action,
        size=len(record.value or b""),
        attempts=0,
        scheduled=0,
        due_at=at,
        created_at=at,
        started_at=at,
        accepted_at=accepted_at,
        fired_at=_as_stored(record.at),
        traceparent=item.traceparent,
    )
    return pending, body


def _as_stored(time: datetime) -> datetime:
    """MongoDB keeps times to the millisecond."""
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def record_document(record: Record) -> Document:
    """Return the record of an action at rest, for a dead letter, which has the original bytes."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "at": record.at,
        "key": record.key,
        "value": record.value,
        "headers": [[name, value] for name, value in record.headers],
    }


def erased_delivery(item: ReceivedAction, now: datetime) -> Document:
    """Return the document of an action whose contact was erased before it was recorded."""
    document = new_delivery(item, now)
    del document["contactId"], document["record"]
    return document | {"erasedAt": now, "state": DROPPED, **_ended(now)}


def original_record_of(document: Document) -> Record:
    """Return the record in a delivery's document, which has one."""
    record = field(document, "record", dict)
    return Record(
        topic=field(record, "topic", str),
        partition=field(record, "partition", int),
        offset=field(record, "offset", int),
        at=field(record, "at", datetime),
        key=optional(record, "key", bytes),
        value=optional(record, "value", bytes),
        headers=tuple((name, value) for name, value in record["headers"]),
    )


def pending_delivery_of(document: Document) -> PendingDelivery:
    """Return a delivery; of the content of its webhook the document tells the types alone."""
    if document["recordType"] != "object" and document["bodyType"] != "string":
        raise UnreadableDocument("There is nothing of which to make a webhook")
    return PendingDelivery(
        id=field(document, "_id", str),
        order_id=field(document, "orderId", str),
        partition=field(document, "partition", int),
        offset=field(document, "offset", int),
        action=ActionName(document["action"]),
        size=field(document, "size", int),
        attempts=len(field(document, "attempts", list)),
        scheduled=field(document, "scheduled", int),
        due_at=field(document, "dueAt", datetime),
        created_at=field(document, "createdAt", datetime),
        started_at=field(document, "startedAt", datetime),
        parked=optional(document, "parked", bool) or False,
        accepted_at=_time(document, "acceptedAt"),
        fired_at=_time(document, "firedAt"),
        traceparent=_trace(document),
    )


def _time(document: Document, name: str) -> datetime | None:
    """Return a time that is shown in a metric alone: it keeps no delivery from being sent."""
    found = document.get(name)
    return found if isinstance(found, datetime) else None


def _trace(document: Document) -> str | None:
    """Return the trace; one that can't be read keeps no delivery from being sent either."""
    found = document.get("traceparent")
    return well_formed(found) if isinstance(found, str) else None


def webhook_of(document: Document) -> tuple[str, str]:
    """Return a delivery's id and the body of its webhook."""
    identity = field(document, "_id", str)
    if "body" in document:  # of an earlier release
        return identity, field(document, "body", str)
    action = field(field(document, "record", dict), "value", bytes)
    return identity, webhook_body(action, field(document, "acceptedAt", datetime))


def attempt_update(attempt: Attempt) -> UpdateOne:
    """
    Return the update that records an attempt: at its own index, so that it is idempotent.

    A 410 concerns the endpoint: the delivery stays due and its schedule doesn't advance.
    """
    delivery = attempt.delivery
    entry: dict[str, Any] = {
        "at": attempt.at,
        "outcome": type(attempt.outcome).__name__.lower(),
        "durationMs": round(attempt.duration.total_seconds() * 1000),
        "status": attempt.status,
        "answer": attempt.excerpt,
    }
    fields = {
        f"attempts.{delivery.attempts}": entry,
        **_outcome_fields(attempt.outcome, delivery.scheduled, attempt.at + attempt.duration),
    }
    return _unless_ended(delivery, fields)


def give_up_update(delivery: PendingDelivery, reason: str, now: datetime) -> UpdateOne:
    """Return the update that ends a delivery without another attempt."""
    fields = _outcome_fields(Failed(reason), delivery.scheduled, now)
    return _unless_ended(delivery, fields)


def _unless_ended(delivery: PendingDelivery, fields: Document) -> UpdateOne:
    update = {"$set": fields, "$unset": {"parked": ""}}
    return UpdateOne({"_id": delivery.id, "state": PENDING}, update)


def _outcome_fields(outcome: AttemptOutcome, scheduled: int, now: datetime) -> dict[str, Any]:
    match outcome:
        case Retry(at):
            return {"scheduled": scheduled + 1, "dueAt": at}
        case Disabled():
            return {}
        case Failed(reason):
            return {"state": FAILED, "reason": reason, **_ended(now)}
        case Delivered():
            return {"state": DELIVERED, **_ended(now)}


def _ended(now: datetime) -> dict[str, Any]:
    return {"since": now, "announced": False, "expireAt": now + RETENTION}


def ended_delivery_of(document: Document) -> EndedDelivery:
    attempts = field(document, "attempts", list)
    return EndedDelivery(
        id=field(document, "_id", str),
        job_id=field(document, "jobId", str),
        order_id=field(document, "orderId", str),
        action=ActionName(document["action"]),
        state=field(document, "state", str),
        attempts=len(attempts),
        status=optional(attempts[-1], "status", int) if attempts else None,
        reason=optional(document, "reason", str),
        at=field(document, "since", datetime),
        round=optional(document, "round", int) or 0,
        traceparent=optional(document, "traceparent", str),
    )
