"""
aiokafka's consumers, and Faust's with them, made to read every batch that a broker accepts.

By itself, aiokafka decompresses a batch whatever its size, and raises for a batch that it can't
decompress and for a header name that isn't UTF-8: the partition stands still for good, with
Faust the process ends. It has no hook between the fetch and the records, so its fetcher is given
another class for the batches of a response (docs/adr/0016).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from order_runtime.kafka.decompression import CannotDecompress
from order_runtime.kafka.record_batches import (
    MAGIC,
    StoredRecord,
    UnreadableMark,
    decompressed,
    has_large_records,
    is_compressed,
    records_of,
    substitute,
)
from order_runtime.kafka.records import MAX_HEADERS, TOO_MANY_HEADERS

_PREFIX: Final = struct.Struct(">qiib")  # first offset, length, leader epoch, format
_BEFORE_LENGTH: Final = 12  # bytes of a batch that its length doesn't count


def bound_fetches() -> None:
    """Let all aiokafka consumers of this process read by BoundedRecords; idempotent."""
    if not hasattr(fetcher, "MemoryRecords"):
        raise AssertionError("aiokafka's fetcher reads batches in another way than is known here")
    fetcher.MemoryRecords = BoundedRecords


class BoundedRecords:
    """The batches of one partition in a response, in the place of aiokafka's `MemoryRecords`."""

    def __init__(self, data: bytes) -> None:
        self._records = MemoryRecords(data)
        self._data = memoryview(data)
        self._at = 0

    def size_in_bytes(self) -> int:
        return len(self._data)

    def has_next(self) -> bool:
        found: bool = self._records.has_next()
        return found

    def next_batch(self) -> BoundedBatch | None:
        batch = self._records.next_batch()
        if batch is None:
            return None
        _, length, _, magic = _PREFIX.unpack_from(self._data, self._at)
        start, self._at = self._at, self._at + _BEFORE_LENGTH + length
        return BoundedBatch(batch, self._data[start : self._at], magic)


class BoundedBatch:
    """A batch of aiokafka's whose records are read within bounds, and without raising."""

    def __init__(self, batch: Any, raw: memoryview, magic: int) -> None:
        self._batch = batch
        self._raw = raw
        self._magic = magic

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        """Return the only record of a control batch: of others, the fetcher iterates."""
        return next(iter(self._batch))

    def __iter__(self) -> Iterator[Any]:
        if self._magic < MAGIC:  # no broker since Kafka 4 has any
            yield from self._batch
        elif not is_compressed(self._raw):
            yield from _read(self._batch, self._raw)
        else:
            try:
                plain = decompressed(self._raw)
            except CannotDecompress as error:
                yield substitute(self._raw, f"The batch {error}.")
            else:
                large = has_large_records(plain)
                yield from records_of(plain) if large else _read(DefaultRecordBatch(plain), plain)


def _read(batch: Any, raw: memoryview) -> Iterator[Any]:
    """Yield the records of *batch*, which aiokafka reads from *raw*, as far as it can read them."""
    try:
        for record in batch:
            yield record if len(record.headers) <= MAX_HEADERS else _cut(record)
    except (CorruptRecordException, ValueError):
        # From the beginning: the fetcher skips what it has had.
        yield from records_of(raw)


def _cut(record: Any) -> StoredRecord:
    """Return *record* with its first headers, marked as unreadable."""
    return StoredRecord(
        record.offset,
        record.timestamp,
        record.timestamp_type,
        record.key,
        record.value,
        [(UnreadableMark(TOO_MANY_HEADERS), None), *record.headers[:MAX_HEADERS]],
    )
