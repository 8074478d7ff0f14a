"""Messages of the three Kafka clients as records; each client tells headers and times its way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from order_runtime.kafka.records import Record


def from_confluent(message: Any) -> Record:
    """Return a message of confluent-kafka that is no error as a record."""
    _, milliseconds = message.timestamp()
    return Record(
        topic=message.topic(),
        partition=message.partition(),
        offset=message.offset(),
        at=datetime.fromtimestamp(milliseconds / 1000, UTC),
        key=message.key(),
        value=message.value(),
        headers=tuple(message.headers() or ()),
    )


def from_aiokafka(message: Any) -> Record:
    """Return a ConsumerRecord of aiokafka as a record; its timestamp is in milliseconds."""
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        at=datetime.fromtimestamp(message.timestamp / 1000, UTC),
        key=message.key,
        value=message.value,
        headers=tuple(message.headers),
    )


def from_faust(message: Any) -> Record:
    """Return Faust's message as a record; its timestamp is in seconds, its headers a mapping."""
    headers = message.headers or ()
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        at=datetime.fromtimestamp(round(message.timestamp, 3), UTC),
        key=message.key,
        value=message.value,
        headers=tuple(headers.items() if isinstance(headers, Mapping) else headers),
    )
