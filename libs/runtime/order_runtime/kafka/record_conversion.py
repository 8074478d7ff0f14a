"""Messages of the three Kafka clients as records; each client tells headers and times its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from operator import methodcaller
from typing import Any, Final

from order_contracts.topics import MIB, TOPICS
from order_runtime.kafka.record_batches import BatchBounds, UnreadableMark
from order_runtime.kafka.records import (
    MAX_HEADERS,
    NOT_UTF8,
    TOO_LARGE,
    TOO_MANY_HEADERS,
    Record,
    wire_size,
)

BATCH_UNREADABLE: Final = "The batch can't be decompressed within bounds, or is malformed."
_LIMITS: Final = {topic.name: topic.max_message_bytes for topic in TOPICS}
_HEADER_BYTES: Final = 64  # about what a usual header has

_HEADERS: Final = methodcaller("headers")

Pairs = Sequence[tuple[str, bytes | None]]


def from_confluent(message: Any) -> Record:
    """Return a message of confluent-kafka that is no error as a record; to be called once."""
    headers, unreadable = _confluent_headers(message)
    return Record(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        at=_time_of(message.timestamp()[1]),
        key=message.key(),
        value=message.value(),
        headers=headers,
        unreadable=unreadable,
    )


def unreadable_batch(topic: str, partition: int, bounds: BatchBounds) -> Record:
    """Return the record that stands for a batch which confluent-kafka can't read."""
    return Record(
        topic=topic,
        partition=partition,
        offset=bounds.last,
        at=_time_of(bounds.at),
        key=None,
        value=None,
        unreadable=BATCH_UNREADABLE,
        first_offset=bounds.first,
    )


def from_aiokafka(message: Any) -> Record:
    """Return a ConsumerRecord of aiokafka as a record; its timestamp is in milliseconds."""
    return _record(message, message.headers, _time_of(message.timestamp))


def from_faust(message: Any) -> Record:
    """Return Faust's message as a record; its timestamp is in seconds, its headers a mapping."""
    headers = message.headers or ()
    pairs = tuple(headers.items() if isinstance(headers, Mapping) else headers)
    return _record(message, pairs, datetime.fromtimestamp(round(message.timestamp, 3), UTC))


def _record(message: Any, headers: Pairs, at: datetime) -> Record:
    """Return a record of BoundedRecords: a mark in its first header says what is unreadable."""
    unreadable = first_offset = None
    if headers and isinstance(headers[0][0], UnreadableMark):
        (mark, offset), *headers = headers
        unreadable, first_offset = str(mark), None if offset is None else int(offset)
    record = Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        at=at,
        key=message.key,
        value=message.value,
        headers=tuple(headers),
        unreadable=unreadable,
        first_offset=first_offset,
    )
    return _without_content(record) if _exceeds_topic_limit(record) else record


def _exceeds_topic_limit(record: Record) -> bool:
    """Return whether only its compression let *record* into the topic."""
    limit = _LIMITS.get(record.topic, MIB)
    roughly = len(record.value or b"") + _HEADER_BYTES * len(record.headers)
    return roughly > limit // 2 and wire_size(record) > limit


def _without_content(record: Record) -> Record:
    return replace(record, key=None, value=None, headers=(), unreadable=TOO_LARGE)


def _confluent_headers(message: Any) -> tuple[tuple[tuple[str, bytes | None], ...], str | None]:
    """
    Return the headers, and what is wrong with them; a second call of `headers()` would crash.

    Where a name isn't UTF-8, `headers()` returns a broken list and leaves an exception behind. An
    ordinary call, once the interpreter has specialised it, doesn't notice; this one always does.
    """
    try:
        headers = _HEADERS(message) or ()
    except (SystemError, UnicodeDecodeError):
        return (), NOT_UTF8
    too_many = TOO_MANY_HEADERS if len(headers) > MAX_HEADERS else None
    return tuple(headers[:MAX_HEADERS]), too_many


def _time_of(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
