"""A key is placed where Kafka's Java client places it."""

from __future__ import annotations

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given
from hypothesis import strategies as st

from order_runtime.kafka.partitioning import murmur2, partition_of

OF_JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""From the tests of Apache Kafka itself; Java's integers are signed."""


@pytest.mark.parametrize(("key", "hashed"), OF_JAVA.items())
def test_a_key_hashes_as_in_java(key: bytes, hashed: int) -> None:
    assert murmur2(key) == hashed % 2**32


@pytest.mark.parametrize(("key", "hashed"), OF_JAVA.items())
def test_a_key_has_the_partition_that_java_gives_it(key: bytes, hashed: int) -> None:
    """Its sign bit is dropped, not its sign."""
    assert partition_of(key, 12) == (hashed & 0x7FFFFFFF) % 12


@given(st.binary(max_size=40))
def test_a_key_hashes_as_in_aiokafka(key: bytes) -> None:
    """Bytes above 127 among them, which a signed byte would spoil."""
    assert murmur2(key) == aiokafka_murmur2(key) % 2**32


@given(st.binary(max_size=40), st.integers(1, 50))
def test_a_partition_is_one_of_the_topics(key: bytes, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions
