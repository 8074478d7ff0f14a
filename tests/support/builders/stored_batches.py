"""Batches as the broker stores them, byte by byte: also those that no client would write."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cramjam
from aiokafka.codec import snappy_encode
from aiokafka.record.util import calc_crc32c

_BEFORE_CRC: Final = struct.Struct(">qiibI")
_AFTER_CRC: Final = struct.Struct(">hiqqqhii")
_LEADER_EPOCH: Final = 0
_LOG_APPEND_TIME: Final = 0x08

CODECS: Final[Mapping[str, tuple[int, Callable[[bytes], bytes]]]] = {
    "none": (0, bytes),
    "gzip": (1, gzip.compress),
    "snappy": (2, lambda data: bytes(cramjam.snappy.compress_raw(data))),
    "snappy-java": (2, lambda data: bytes(snappy_encode(data))),
    "lz4": (3, lambda data: bytes(cramjam.lz4.compress(data))),
    "zstd": (4, lambda data: bytes(cramjam.zstd.compress(data))),
    "corrupt zstd": (4, lambda data: bytes(cramjam.zstd.compress(data))[:-4]),
    "corrupt gzip": (1, lambda data: gzip.compress(data)[:-12]),
    "unknown": (7, bytes),
}
"""By name: the number in a batch's attributes, and what writes it."""


@dataclass(frozen=True, slots=True)
class StoredBytes:
    """A record of a batch; the names of its headers are bytes, whatever they hold."""

    key: bytes | None = b"k"
    value: bytes | None = b"v"
    headers: Sequence[tuple[bytes, bytes | None]] = ()


def batch_bytes(
    records: Sequence[StoredBytes], codec: str = "none", *, first: int = 0, at: int | None = 0
) -> bytes:
    """
    Return a batch of *records* with offsets from *first*, appended at *at* (milliseconds).

    None: it is yet to be published.
    """
    number, compress = CODECS[codec]
    number, at = (number, 0) if at is None else (number | _LOG_APPEND_TIME, at)
    data = compress(b"".join(_record(index, record) for index, record in enumerate(records)))
    counted = _AFTER_CRC.pack(number, len(records) - 1, at, at, -1, -1, -1, len(records))
    checked = counted + data
    length = _BEFORE_CRC.size - 12 + len(checked)
    crc = calc_crc32c(checked)
    return _BEFORE_CRC.pack(first, length, _LEADER_EPOCH, 2, crc) + checked


def bomb(codec: str, megabytes: int, *, first: int = 0, at: int | None = 0) -> bytes:
    """Return a batch of one record whose value inflates to so many megabytes of zeroes."""
    return batch_bytes([StoredBytes(b"bomb", bytes(megabytes << 20))], codec, first=first, at=at)


def many_headers(count: int) -> StoredBytes:
    """Return a record that is nearly nothing but headers of one byte."""
    return StoredBytes(b"many", b"{}", [(b"h", b"")] * count)


def _record(delta: int, record: StoredBytes) -> bytes:
    headers = [_bytes(name) + _bytes(value) for name, value in record.headers]
    body = b"".join(
        [
            b"\0",  # attributes
            _varint(0),  # later than the batch's time by
            _varint(delta),
            _bytes(record.key),
            _bytes(record.value),
            _varint(len(headers)),
            *headers,
        ]
    )
    return _varint(len(body)) + body


def _bytes(value: bytes | None) -> bytes:
    return _varint(-1) if value is None else _varint(len(value)) + value


def _varint(number: int) -> bytes:
    """Return *number* in zigzag encoding, seven bits a byte."""
    left = (number << 1) ^ (number >> 63)
    return bytes(_sevens(left & 0xFFFFFFFFFFFFFFFF))


def _sevens(left: int) -> Iterable[int]:
    while left > 0x7F:
        yield left & 0x7F | 0x80
        left >>= 7
    yield left
