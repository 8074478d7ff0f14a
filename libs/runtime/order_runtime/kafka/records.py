"""Records of Kafka as values: those that were read, and those to be published. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was read; `at` is the broker's append time, UTC, in milliseconds."""

    topic: str
    partition: int
    offset: int
    at: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to publish; its key decides its partition (murmur2)."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


R = TypeVar("R", Record, Outgoing)


def split_by_size(records: Iterable[R], max_bytes: int) -> Iterator[list[R]]:
    """Split *records* into batches whose values have at most *max_bytes*, or of one record."""
    batch: list[R] = []
    total = 0
    for record in records:
        size = len(record.value or b"")
        if batch and total + size > max_bytes:
            yield batch
            batch, total = [], 0
        batch.append(record)
        total += size
    if batch:
        yield batch


def next_offsets(records: Iterable[Record]) -> dict[tuple[str, int], int]:
    """Return the offset behind the last of *records* in each partition, by topic and number."""
    found: dict[tuple[str, int], int] = {}
    for record in records:
        place = record.topic, record.partition
        found[place] = max(found.get(place, 0), record.offset + 1)
    return found
