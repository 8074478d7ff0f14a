"""
Batches of records as the broker stores them (message format 2), read within bounds. Pure.

What can't be read is a record too: one that says why, in place of the record or of its batch.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from order_contracts.topics import TOPICS
from order_runtime.kafka.decompression import decompress
from order_runtime.kafka.records import MAX_HEADERS, NOT_UTF8, TOO_LARGE, TOO_MANY_HEADERS

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_LENGTH, _ATTRIBUTES = 1, 5  # fields of the header
_BEFORE_LENGTH: Final = 12  # bytes of a batch that its length doesn't count
_CODEC: Final = 0x07
_LOG_APPEND_TIME: Final = 0x08
_TRANSACTIONAL: Final = 0x10
_CONTROL: Final = 0x20
_PRODUCER: Final = 9  # field of the header
MAGIC: Final = 2
_LARGE: Final = 64 * 1024  # bytes of a record; smaller ones have no headers worth counting
MAX_RECORD: Final = max(topic.max_message_bytes for topic in TOPICS)
"""Bytes of a record that no topic takes, unless it is compressed."""

Headers = list[tuple[str, bytes | None]]
Content = tuple[bytes | None, bytes | None, Headers]  # key, value and headers


class UnreadableMark(str):
    """
    In the place of a header's name: the reason why a record, or its batch, can't be read.

    A class of its own, so that no sender's header is taken for one. The header's value is the
    batch's first offset, or None where the record alone is meant.
    """

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class BatchBounds:
    """What the header of a batch tells, which is never compressed."""

    first: int
    last: int
    at: int
    """The append time, in milliseconds."""


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record with the attributes that aiokafka's fetcher asks for."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    checksum: None = None


def bounds_of(batch: memoryview) -> BatchBounds:
    first, _, _, _, _, _, delta, _, at, *_ = _HEADER.unpack_from(batch)
    return BatchBounds(first, first + delta, at)


def is_marker(batch: memoryview) -> bool:
    """Return whether *batch* is the end of a transaction, which holds no record."""
    return bool(_HEADER.unpack_from(batch)[_ATTRIBUTES] & _CONTROL)


def is_aborted(batch: memoryview, aborted: Collection[tuple[int, int]]) -> bool:
    """Return whether *batch* is of a transaction in *aborted*: producer's id and first offset."""
    header = _HEADER.unpack_from(batch)
    return bool(header[_ATTRIBUTES] & _TRANSACTIONAL) and any(
        producer == header[_PRODUCER] and first <= header[0] for producer, first in aborted
    )


def is_compressed(batch: memoryview) -> bool:
    return bool(_HEADER.unpack_from(batch)[_ATTRIBUTES] & _CODEC)


def decompressed(batch: memoryview) -> memoryview:
    """Return *batch* as it would be had nobody compressed it; raises CannotDecompress."""
    header = list(_HEADER.unpack_from(batch))
    data = decompress(header[_ATTRIBUTES] & _CODEC, batch[_HEADER.size :])
    header[_LENGTH] = _HEADER.size - _BEFORE_LENGTH + len(data)
    header[_ATTRIBUTES] &= ~_CODEC
    return memoryview(_HEADER.pack(*header) + data)


def has_large_records(batch: memoryview) -> bool:
    """Return whether a record of an uncompressed batch may have many headers, or is malformed."""
    reader = _Reader(batch)
    try:
        return any(size > _LARGE for size in reader.sizes())
    except (IndexError, ValueError):
        return True


def records_of(batch: memoryview) -> Iterator[StoredRecord]:
    """
    Yield the records of an uncompressed batch, whatever their headers hold.

    Where it ends within a record, one at its last offset stands for all that is left of it.
    """
    try:
        yield from _Reader(batch).records()
    except (IndexError, ValueError):
        yield substitute(batch, "The batch is malformed.")


def substitute(batch: memoryview, reason: str) -> StoredRecord:
    """
    Return the record that stands for *batch*.

    At the last offset: what is committed behind it lies behind the batch, and a consumer that
    begins within the batch does not pass it over.
    """
    bounds = bounds_of(batch)
    mark: Headers = [(UnreadableMark(reason), str(bounds.first).encode())]
    return StoredRecord(bounds.last, bounds.at, 1, None, None, mark)


_TOO_LARGE: Final[Content] = (None, None, [(UnreadableMark(TOO_LARGE), None)])


class _Reader:
    """Reads the records of one uncompressed batch."""

    def __init__(self, batch: memoryview) -> None:
        header = _HEADER.unpack_from(batch)
        self._base, self._first_at, self._max_at, self._count = (header[at] for at in (0, 7, 8, 12))
        self._append_time = int(bool(header[_ATTRIBUTES] & _LOG_APPEND_TIME))
        self._data = batch
        self._at = _HEADER.size

    def records(self) -> Iterator[StoredRecord]:
        for _ in range(self._count):
            yield self._record()

    def sizes(self) -> Iterator[int]:
        for _ in range(self._count):
            size = self._varint()
            if size < 0:
                raise ValueError("a record of less than nothing")
            yield size
            self._at += size
        if self._at != len(self._data):
            raise ValueError("the batch is shorter than its records, or longer")

    def _record(self) -> StoredRecord:
        size = self._varint()
        end = self._at + size
        self._at += 1  # attributes, which are not used
        later, delta = self._varint(), self._varint()
        key, value, headers = self._content() if size <= MAX_RECORD else _TOO_LARGE
        if not self._at <= end <= len(self._data):
            raise ValueError("the record is longer than it says, or than the batch")
        self._at = end  # headers beyond the first ones are not read
        at = self._max_at if self._append_time else self._first_at + later
        return StoredRecord(self._base + delta, at, self._append_time, key, value, headers)

    def _content(self) -> Content:
        return self._bytes(), self._bytes(), self._headers(self._varint())

    def _headers(self, count: int) -> Headers:
        found = [(self._bytes() or b"", self._bytes()) for _ in range(min(count, MAX_HEADERS))]
        try:
            headers: Headers = [(name.decode(), value) for name, value in found]
        except UnicodeDecodeError:
            return [(UnreadableMark(NOT_UTF8), None)]
        too_many: Headers = [(UnreadableMark(TOO_MANY_HEADERS), None)]
        return too_many + headers if count > MAX_HEADERS else headers

    def _bytes(self) -> bytes | None:
        size = self._varint()
        if size < 0:
            return None
        start, self._at = self._at, self._at + size
        if self._at > len(self._data):
            raise ValueError("the batch ends within a record")
        return bytes(self._data[start : self._at])

    def _varint(self) -> int:
        """Read a number in zigzag encoding; raises IndexError where the data end."""
        found = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (found >> 1) ^ -(found & 1)
            shift += 7
            if shift > 63:
                raise ValueError("a number of more than 64 bits")
