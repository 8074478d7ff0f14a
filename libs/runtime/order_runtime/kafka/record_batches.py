"""
Batches of records as the broker stores them (message format 2), read within bounds. Pure.

What can't be read is a record too: one that says why, in place of the record or of its batch.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from order_contracts.topics import TOPICS
from order_runtime.kafka.decompression import CannotDecompress, decompress
from order_runtime.kafka.records import MAX_HEADERS, NOT_UTF8, TOO_LARGE, TOO_MANY_HEADERS

_HEADER: Final = struct.Struct(">qiibIhiqqqhii")
_CODEC: Final = 0x07
_LOG_APPEND_TIME: Final = 0x08
MAGIC: Final = 2
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


def is_compressed(batch: memoryview) -> bool:
    return bool(_HEADER.unpack_from(batch)[5] & _CODEC)


def records_of(batch: memoryview) -> Iterator[StoredRecord]:
    """
    Yield the records of *batch*, whatever their headers hold.

    Where it can't be decompressed, or ends within a record, one record at its last offset stands
    for all that is left of it.
    """
    attributes = _HEADER.unpack_from(batch)[5]
    try:
        data = batch[_HEADER.size :]
        if codec := attributes & _CODEC:
            data = memoryview(decompress(codec, data))
        yield from _Reader(batch, data).records()
    except CannotDecompress as error:
        yield _substitute(batch, f"The batch {error}.")
    except (IndexError, ValueError):
        yield _substitute(batch, "The batch is malformed.")


def _substitute(batch: memoryview, reason: str) -> StoredRecord:
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
    """Reads the records of one batch from its decompressed *data*."""

    def __init__(self, batch: memoryview, data: memoryview) -> None:
        header = _HEADER.unpack_from(batch)
        self._base, self._first_at, self._max_at, self._count = (header[at] for at in (0, 7, 8, 12))
        self._append_time = int(bool(header[5] & _LOG_APPEND_TIME))
        self._data = data
        self._at = 0

    def records(self) -> Iterator[StoredRecord]:
        for _ in range(self._count):
            yield self._record()

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
