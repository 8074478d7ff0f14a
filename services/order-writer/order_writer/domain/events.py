"""The outcome of each command as an event, and unreadable ones as dead letters. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from order_contracts.cloudevents import Envelope
from order_contracts.events import EventType, OrderEvent
from order_contracts.identity import event_id
from order_contracts.job import Operation
from order_contracts.topics import EVENTS, WRITER
from order_runtime.documents.jobs import LedgerEntry
from order_runtime.documents.orders import LiveOrder
from order_runtime.kafka.dead_letters import dead_letter
from order_runtime.kafka.records import Outgoing, Record
from order_writer.domain.batch import FoldedBatch
from order_writer.domain.decide import OrderState
from order_writer.domain.record_ids import exceeds_topic_limit

_APPLIED: Final = MappingProxyType(
    {
        Operation.REGISTER: EventType.REGISTERED,
        Operation.REPLACE: EventType.REPLACED,
        Operation.DELETE: EventType.DELETED,
        Operation.CHANGE_STATUS: EventType.STATUS_CHANGED,
        Operation.CHANGE_DELIVERY: EventType.DELIVERY_CHANGED,
        Operation.ACTION: EventType.ACTION_REQUESTED,
    }
)


def outgoing_records(folded: FoldedBatch) -> Iterator[Outgoing]:
    """Yield what a batch has to tell, in the order of its commands."""
    for item, entry in folded.answers:
        record = _publishable(item.record, entry)
        if not entry.decoded:
            yield _dead_letter(record, entry)
        state = folded.orders.get(entry.order_id) if entry.order_id else None
        yield event_record(entry, state, record.key)


def _publishable(record: Record, entry: LedgerEntry) -> Record:
    """
    Return *record*, or only its place if it is a compressed giant, which no topic takes as it is.

    The record itself stays at that place for as long as its topic is kept.
    """
    if not exceeds_topic_limit(record):
        return record
    key = entry.order_id.encode() if entry.order_id else None
    return replace(record, key=key, value=None, headers=())


def event_record(entry: LedgerEntry, state: OrderState, key: bytes | None) -> Outgoing:
    """Return the event of *entry*, with the order as it is stored now."""
    live = state if isinstance(state, LiveOrder) else None
    kind = event_type(entry)
    data = OrderEvent(
        job_id=entry.job_id,
        order_id=entry.order_id or "",
        version=entry.version,
        order_version=state.version if state else None,
        registration=entry.registration,
        order=live.view() if live else None,
        action=entry.action,
        error=entry.failure,
    )
    envelope = Envelope(
        id=event_id(entry.job_id, kind),
        source=f"/{WRITER}",
        type=kind,
        time=entry.at,
        subject=entry.order_id or "",
    )
    return Outgoing(EVENTS.name, key, data.to_json(), envelope.headers())


def event_type(entry: LedgerEntry) -> EventType:
    """Return what happened; derived from the ledger, so that a repeat says the same."""
    if entry.failure is not None:
        return EventType.REJECTED
    applied = entry.version is not None or entry.action is not None
    if not applied or entry.alias_of is not None:
        return EventType.UNCHANGED
    return _APPLIED[entry.operation]


def _dead_letter(record: Record, entry: LedgerEntry) -> Outgoing:
    """Return the dead letter of a command that was refused; made from the ledger, as its event."""
    if entry.failure is None:
        raise TypeError("what was not decoded has failed")
    listed = "; ".join(f"{error.pointer} {error.message}".strip() for error in entry.failure.errors)
    reason = f"{entry.failure.detail} {listed}".strip()
    code = entry.failure.code
    return dead_letter(record, service=WRITER, code=code, reason=reason, job_id=entry.job_id)
