"""Records of Kafka as values: those that were read, and those to be published. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final, TypeVar

from order_contracts.frozen import frozen

Headers = tuple[tuple[str, bytes], ...]

MAX_HEADERS: Final = 1_000  # of one record; each costs many times its bytes once it is read
NOT_UTF8: Final = "The name of a header is not UTF-8 text; no header was read."
TOO_MANY_HEADERS: Final = f"There are more than {MAX_HEADERS} headers; no more were read."
TOO_LARGE: Final = "The record is larger than its topic allows before it is compressed."
_BATCH_OVERHEAD: Final = 61  # bytes of the header of a batch
_RECORD_OVERHEAD: Final = 32  # bytes at most, beside key, value and headers
_MAX_VARINT: Final = 5  # bytes of a field's length


@frozen()
class Record:
    """A record as it was read; `at` is the broker's append time, UTC, in milliseconds."""

    topic: str
    partition: int
    offset: int
    at: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    unreadable: str | None = None
    """Why the client couldn't read it, or not all of its headers; repeats nothing of it."""
    first_offset: int | None = None
    """
    Where a whole batch can't be read: its first offset. `offset` is its last one then, and
    nothing else of it is known.
    """


@frozen()
class Outgoing:
    """A record to publish; its key decides its partition (murmur2)."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


R = TypeVar("R", Record, Outgoing)


def wire_size(record: Record | Outgoing) -> int:
    """Return the bytes, at most, of a batch with *record* alone, not compressed."""
    headers = sum(
        _field_size(len(name.encode(errors="replace"))) + _field_size(len(value or b""))
        for name, value in record.headers
    )
    data = len(record.key or b"") + len(record.value or b"")
    return _BATCH_OVERHEAD + _RECORD_OVERHEAD + data + headers


def size_bound(record: Record | Outgoing) -> int:
    """Return no less than `wire_size`, at a fraction of its cost: a name's character is 4 bytes."""
    headers = sum([4 * len(name) + len(value or b"") for name, value in record.headers])
    lengths = 2 * _MAX_VARINT * len(record.headers)
    data = len(record.key or b"") + len(record.value or b"")
    return _BATCH_OVERHEAD + _RECORD_OVERHEAD + data + headers + lengths


def _field_size(size: int) -> int:
    """Return the bytes of a field of *size* bytes with its length, a varint in zigzag encoding."""
    return size + max(1, ((size << 1).bit_length() + 6) // 7)


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
