"""Decompression of a batch of records, up to a number of bytes. Pure."""

from __future__ import annotations

import mmap
import struct
import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import cramjam

MAX_INFLATED: Final = 32 * 1024 * 1024
"""
Bytes of a batch once it is decompressed. A producer with the usual settings fills a batch to 1 MB
at most before it compresses; what inflates further is made to.
"""
_GZIP: Final = 31  # zlib's window bits: 15, and the header of gzip
_XERIAL: Final = b"\x82SNAPPY\x00"  # of Java's framing of snappy
_XERIAL_HEADER: Final = 16


class CannotDecompress(ValueError):
    """A batch that can't be decompressed, or not within MAX_INFLATED; says which."""


def decompress(codec: int, data: memoryview) -> bytes:
    """
    Return *data*, compressed with Kafka's *codec*, as it was before; raises CannotDecompress.

    It never takes more memory than MAX_INFLATED and what *data* has.
    """
    inflate = _CODECS.get(codec)
    if inflate is None:
        raise CannotDecompress("is compressed with an unknown codec")
    try:
        return inflate(data)
    except (zlib.error, cramjam.DecompressionError, struct.error) as error:
        raise CannotDecompress(
            f"can't be decompressed within {MAX_INFLATED // 1024**2} MiB"
        ) from error


def _gzip(data: memoryview) -> bytes:
    found, left = b"", bytes(data)
    while left:  # a stream may have several members
        stream = zlib.decompressobj(_GZIP)
        found += stream.decompress(left, MAX_INFLATED + 1 - len(found))
        if len(found) > MAX_INFLATED or not stream.eof:
            raise zlib.error
        left = stream.unused_data
    return found


def _snappy(data: memoryview) -> bytes:
    if bytes(data[: len(_XERIAL)]) != _XERIAL:
        return _snappy_block(data, MAX_INFLATED)
    found, at = bytearray(), _XERIAL_HEADER
    while at < len(data):
        (size,) = struct.unpack_from(">i", data, at)
        at += 4
        if not 0 < size <= len(data) - at:
            raise struct.error
        found += _snappy_block(data[at : at + size], MAX_INFLATED - len(found))
        at += size
    return bytes(found)


def _snappy_block(data: memoryview, limit: int) -> bytes:
    """Decompress one block, which begins with the size that it has then."""
    if cramjam.snappy.decompress_raw_len(data) > limit:
        raise struct.error
    return bytes(cramjam.snappy.decompress_raw(data))


def _into_buffer(inflate: Callable[[memoryview, mmap.mmap], int]) -> Callable[[memoryview], bytes]:
    """Return a decompressor that writes into a buffer, of which untouched pages cost nothing."""

    def inflated(data: memoryview) -> bytes:
        with mmap.mmap(-1, MAX_INFLATED) as buffer:
            return buffer[: inflate(data, buffer)]

    return inflated


_CODECS: Final[Mapping[int, Callable[[memoryview], bytes]]] = MappingProxyType(
    {
        1: _gzip,
        2: _snappy,
        3: _into_buffer(cramjam.lz4.decompress_into),
        4: _into_buffer(cramjam.zstd.decompress_into),
    }
)
"""By the number that a batch's attributes name."""
