"""The outcome of each command as an event, and of undecoded records a dead letter. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from order_contracts.cloudevents import Envelope
from order_contracts.derived_ids import event_id
from order_contracts.topics import EVENTS, WRITER
from order_runtime.documents.jobs import LedgerEntry
from order_runtime.documents.order_events import event_type, order_event
from order_runtime.kafka.dead_letters import dead_letter
from order_runtime.kafka.records import Outgoing, Record
from order_writer.domain.batch import FoldedBatch
from order_writer.domain.decide import OrderState
from order_writer.domain.record_ids import exceeds_topic_limit


def outgoing_records(folded: FoldedBatch) -> Iterator[Outgoing]:
    """Yield the events and dead letters of a batch, in the order of its records."""
    for item, entry in folded.answers:
        record = _publishable(item.record, entry)
        if not entry.decoded:
            yield _dead_letter(record, entry)
        state = folded.orders.get(entry.order_id) if entry.order_id else None
        yield event_record(entry, state, record.key)


def _publishable(record: Record, entry: LedgerEntry) -> Record:
    """
    Return *record*, without its content where that exceeds the topic's limit uncompressed.

    A dead letter then only names partition and offset, at which the record stays until retention
    deletes it.
    """
    if not exceeds_topic_limit(record):
        return record
    key = entry.order_id.encode() if entry.order_id else None
    return replace(record, key=key, value=None, headers=())


def event_record(entry: LedgerEntry, state: OrderState, key: bytes | None) -> Outgoing:
    """Return the event of *entry*, with the order in its current state, which may be newer."""
    kind, data = event_type(entry), order_event(entry, state)
    envelope = Envelope(
        id=event_id(entry.job_id, kind),
        source=f"/{WRITER}",
        type=kind,
        time=entry.at,
        subject=entry.order_id or "",
    )
    return Outgoing(EVENTS.name, key, data.to_json(), envelope.headers())


def _dead_letter(record: Record, entry: LedgerEntry) -> Outgoing:
    """Return the dead letter of an undecoded record, with the reason that the ledger has."""
    if entry.failure is None:
        raise TypeError("an entry that was not decoded has a failure")
    listed = "; ".join(f"{error.pointer} {error.message}".strip() for error in entry.failure.errors)
    reason = f"{entry.failure.detail} {listed}".strip()
    code = entry.failure.code
    return dead_letter(record, service=WRITER, code=code, reason=reason, job_id=entry.job_id)
