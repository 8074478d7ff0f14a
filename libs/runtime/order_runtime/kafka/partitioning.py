"""Where Kafka's own clients place a key: murmur2 over its bytes."""

from __future__ import annotations

from struct import Struct

_WORD = Struct("<I")
_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of *key* among *partitions*, as Java's default partitioner does."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def murmur2(data: bytes) -> int:
    """Return Kafka's 32-bit murmur2 of *data*, unsigned."""
    whole = len(data) & ~3
    state = _SEED ^ len(data)
    for (word,) in _WORD.iter_unpack(memoryview(data)[:whole]):
        mixed = word * _M & _MASK
        state = (state * _M ^ (mixed ^ mixed >> 24) * _M) & _MASK
    if rest := data[whole:]:
        state = (state ^ int.from_bytes(rest, "little")) * _M & _MASK
    state = (state ^ state >> 13) * _M & _MASK
    return state ^ state >> 15
