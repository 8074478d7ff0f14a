"""The outcome of each command as an event, and of undecoded records a dead letter. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Final

from order_contracts.cloudevents import Envelope
from order_contracts.derived_ids import event_id
from order_contracts.topics import EVENTS, WRITER
from order_runtime.documents.dead_letters import LetterFacts, letter_document
from order_runtime.documents.document import Document
from order_runtime.documents.jobs import LedgerEntry
from order_runtime.documents.order_events import event_json, event_type
from order_runtime.documents.orders import LiveOrder
from order_runtime.kafka.dead_letters import ATTEMPT, dead_letter
from order_runtime.kafka.records import Outgoing, Record
from order_writer.domain.batch import FoldedBatch
from order_writer.domain.batch_items import BatchItem, DecodedCommand
from order_writer.domain.decide import OrderState
from order_writer.domain.record_ids import exceeds_topic_limit

TOGETHER: Final = 16  # events, each of which carries an order of up to 768 KB


def outgoing_records(
    folded: FoldedBatch, traceparents: Sequence[str | None] | None = None
) -> Iterator[Outgoing]:
    """
    Yield the events and dead letters of a batch, in the order of its records.

    *traceparents* are those of the events, likewise; by default those of the commands.
    An order is written once, however many commands of the batch are for it.
    """
    view_of = cache(lambda order_id: _view(folded.orders.get(order_id)))
    traces = traceparents or [item.traceparent for item, _ in folded.answers]
    for start in range(0, len(folded.answers), TOGETHER):
        some = slice(start, start + TOGETHER)
        entries = [entry for _, entry in folded.answers[some]]
        announced = [_announced_record(*answer) for answer in folded.answers[some]]
        keys = [record.key for record, _ in announced]
        events = _events(entries, keys, traces[some], folded.orders, view_of)
        for entry, (record, whole), event in zip(entries, announced, events, strict=True):
            letter = None if entry.decoded else _dead_letter(record, entry, whole=whole)
            if letter is not None:
                yield letter
            yield event


def _events(
    entries: Sequence[LedgerEntry],
    keys: Sequence[bytes | None],
    traces: Sequence[str | None],
    orders: Mapping[str, OrderState],
    view_of: Callable[[str], bytes | None],
) -> list[Outgoing]:
    """
    Return the event of each entry, with the order in its current state, which may be newer.

    In steps, each for all of them: see `lockstep` for why.
    """
    order_ids = [entry.order_id or "" for entry in entries]
    views = [view_of(order_id) for order_id in order_ids]
    versions = [state.version if (state := orders.get(it)) else None for it in order_ids]
    data = [event_json(*it) for it in zip(entries, versions, views, strict=True)]
    kinds = [event_type(entry) for entry in entries]
    ids = [event_id(entry.job_id, kind) for entry, kind in zip(entries, kinds, strict=True)]
    headers = [
        Envelope(event, f"/{WRITER}", kind, entry.at, order_id, trace).headers()
        for event, kind, entry, order_id, trace in zip(
            ids, kinds, entries, order_ids, traces, strict=True
        )
    ]
    return [Outgoing(EVENTS.name, *it) for it in zip(keys, data, headers, strict=True)]


def letter_documents(folded: FoldedBatch, now: datetime) -> Iterator[Document]:
    """Yield the document of each dead letter of a batch."""
    for item, entry in folded.answers:
        if entry.decoded or entry.failure is None:
            continue
        record, whole = _announced_record(item, entry)
        if (letter := _dead_letter(record, entry, whole=whole)) is not None:
            code, job_id = entry.failure.code, entry.job_id
            facts = LetterFacts(WRITER, code, entry.order_id, job_id, item.sender)
            yield letter_document(record, letter, facts, now)


def _announced_record(item: BatchItem, entry: LedgerEntry) -> tuple[Record, bool]:
    """Return the record of which a dead letter is made, and whether it is whole."""
    whole = isinstance(item, DecodedCommand) or not exceeds_topic_limit(item.record)
    return item.record if whole else _place_of(item.record, entry), whole


def _place_of(record: Record, entry: LedgerEntry) -> Record:
    """
    Return *record* without its content, where that exceeds the topic's limit uncompressed.

    A dead letter then only names partition and offset, at which the record stays until retention
    deletes it, and how often it came.
    """
    key = entry.order_id.encode() if entry.order_id else None
    counted = tuple(pair for pair in record.headers if pair[0].lower() == ATTEMPT)
    return replace(record, key=key, value=None, headers=counted)


def _view(state: OrderState) -> bytes | None:
    return state.view_json() if isinstance(state, LiveOrder) else None


def _dead_letter(record: Record, entry: LedgerEntry, *, whole: bool) -> Outgoing | None:
    """
    Return the dead letter of an undecoded record, with the reason that the ledger has.

    None where it was sent again too often.
    """
    if entry.failure is None:
        raise TypeError("an entry that was not decoded has a failure")
    listed = "; ".join(f"{error.pointer} {error.message}".strip() for error in entry.failure.errors)
    reason = f"{entry.failure.detail} {listed}".strip()
    return dead_letter(
        record,
        service=WRITER,
        code=entry.failure.code,
        reason=reason,
        job_id=entry.job_id,
        place_only=not whole,
    )
