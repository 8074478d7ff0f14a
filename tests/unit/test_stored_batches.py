"""Every batch that a broker accepts is read within bounds, by aiokafka's fetcher too."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import Fetcher, PartitionRecords
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from order_contracts.topics import CONTACTS, MIB
from order_runtime.kafka.bounded_fetching import BoundedRecords, bound_fetches
from order_runtime.kafka.decompression import MAX_INFLATED
from order_runtime.kafka.record_batches import BatchBounds, bounds_of
from order_runtime.kafka.record_conversion import from_aiokafka
from order_runtime.kafka.records import MAX_HEADERS, NOT_UTF8, TOO_LARGE, TOO_MANY_HEADERS, Record
from support.builders.stored_batches import CODECS, StoredBytes, batch_bytes, bomb, many_headers

AT = 1_764_324_000_123
GOOD = [StoredBytes(b"a", b"1", [(b"ce_id", b"x"), (b"none", None)]), StoredBytes(None, None)]
READABLE = ["none", "gzip", "snappy", "snappy-java", "lz4", "zstd"]
NOT_INFLATED = "The batch can't be decompressed within 32 MiB."


def fetched(*batches: bytes, records: Any = BoundedRecords, position: int = 0) -> list[Record]:
    """Return what aiokafka's fetcher makes of a response that holds *batches*."""
    place = TopicPartition(CONTACTS.name, 3)
    found = PartitionRecords(place, records(b"".join(batches)), None, position, None, None, True, 0)
    return [from_aiokafka(item) for item in found]


def batch(*records: StoredBytes, codec: str = "none", first: int = 0) -> bytes:
    return batch_bytes(records, codec, first=first, at=AT)


_CHILD = """
import resource, sys
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.structs import TopicPartition
from order_runtime.kafka.bounded_fetching import BoundedRecords
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
data, place = sys.stdin.buffer.read(), TopicPartition("reference.contacts", 3)
before = peak()
read = PartitionRecords(place, BoundedRecords(data), None, 0, None, None, True, 0)
print(sum(1 for _ in read), peak() - before)
"""


def records_and_megabytes(*batches: bytes) -> tuple[int, int]:
    """Return how many records a process reads of *batches*, and by how much it grows for them."""
    done = subprocess.run(
        [sys.executable, "-c", _CHILD], input=b"".join(batches), capture_output=True, check=True
    )
    count, megabytes = map(int, done.stdout.split())
    return count, megabytes


@pytest.mark.parametrize("codec", READABLE)
def test_a_batch_is_read_as_aiokafka_reads_it(codec: str) -> None:
    """Keys, values, headers, offsets and times, whatever compressed it."""
    sent = batch(*GOOD, *[StoredBytes(b"k" * 300, b"v" * 70_000)] * 3, codec=codec, first=7)
    assert fetched(sent) == fetched(sent, records=MemoryRecords)
    assert [it.offset for it in fetched(sent)] == [7, 8, 9, 10, 11]


@pytest.mark.parametrize("codec", READABLE)
def test_a_header_name_that_is_not_utf_8_costs_its_records_headers_alone(codec: str) -> None:
    bad = StoredBytes(b"bad", b"2", [(b"ce_id", b"x"), (b"na\xffme", b"y")])

    found = fetched(batch(GOOD[0], bad, GOOD[1], codec=codec), batch(GOOD[0], first=3))

    assert [(it.offset, it.unreadable) for it in found] == [
        (0, None),
        (1, NOT_UTF8),
        (2, None),
        (3, None),
    ]
    assert (found[1].key, found[1].value, found[1].headers) == (b"bad", b"2", ())
    assert found[0].headers == (("ce_id", b"x"), ("none", None))


@pytest.mark.parametrize("codec", ["gzip", "zstd", "lz4", "snappy"])
def test_a_bomb_is_one_record_at_its_last_offset(codec: str) -> None:
    """What is committed behind it lies behind the batch; and what follows is read."""
    sent = batch(*GOOD, StoredBytes(b"secret", bytes(40 << 20)), codec=codec, first=5)
    found = fetched(sent, batch(GOOD[0], first=8), position=6)

    stands, behind = found
    assert (stands.offset, stands.first_offset, stands.unreadable) == (7, 5, NOT_INFLATED)
    assert (stands.key, stands.value, stands.headers) == (None, None, ())
    assert round(stands.at.timestamp() * 1000) == AT
    assert (behind.offset, behind.unreadable) == (8, None)


def test_bombs_take_no_more_memory_than_a_batch_may() -> None:
    """150 MB of zeroes in each codec; the smallest of them has 5 KB."""
    codecs = ("gzip", "zstd", "lz4", "snappy")
    bombs = [bomb(codec, 150, first=at) for at, codec in enumerate(codecs)]
    count, megabytes = records_and_megabytes(*bombs)
    assert count == len(bombs)
    assert megabytes <= 3 * MAX_INFLATED // MIB


@pytest.mark.parametrize("codec", ["corrupt zstd", "corrupt gzip", "unknown"])
def test_a_batch_that_cannot_be_decompressed_stops_nothing(codec: str) -> None:
    stands, behind = fetched(batch(*GOOD, codec=codec), batch(GOOD[0], first=2))
    assert stands.unreadable is not None
    assert (stands.offset, stands.first_offset, behind.offset) == (1, 0, 2)


@pytest.mark.parametrize("codec", ["none", "gzip"])
@pytest.mark.parametrize("cut", [1, 3, 9])
def test_a_batch_that_ends_within_a_record_stops_nothing(codec: str, cut: int) -> None:
    """No broker stores one, but disks and networks err; what can be read of it is."""
    whole = batch_bytes([GOOD[0], StoredBytes(b"b", b"12345678")], at=AT)
    number, compress = CODECS[codec]
    data = compress(whole[61:-cut])
    header = bytearray(whole[:61])
    header[8:12] = (49 + len(data)).to_bytes(4, "big")
    header[22] |= number
    place = TopicPartition(CONTACTS.name, 3)
    raw = bytes(header) + data
    read = PartitionRecords(place, BoundedRecords(raw), None, 0, None, None, False, 0)

    found = [from_aiokafka(item) for item in read]

    assert [(it.offset, it.unreadable) for it in found] == [
        (0, None),
        (1, "The batch is malformed."),
    ]


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_of_many_headers_the_first_are_read(codec: str) -> None:
    """Each takes some hundred times its bytes in memory."""
    found, behind = fetched(batch(many_headers(MAX_HEADERS + 1), GOOD[0], codec=codec))
    assert (found.unreadable, len(found.headers)) == (TOO_MANY_HEADERS, MAX_HEADERS)
    assert (found.key, found.value, behind.unreadable) == (b"many", b"{}", None)
    [allowed] = fetched(batch(many_headers(MAX_HEADERS), codec=codec))
    assert (allowed.unreadable, len(allowed.headers)) == (None, MAX_HEADERS)


def test_700_000_headers_cost_no_memory_to_speak_of() -> None:
    sent = batch(many_headers(700_000), codec="zstd")
    count, megabytes = records_and_megabytes(sent)
    assert count == 1
    assert megabytes < 20


@pytest.mark.parametrize("size", [MIB, 5 * MIB])
def test_what_only_its_compression_let_into_the_topic_is_not_read(size: int) -> None:
    """Nothing of it is kept, nor is it a tombstone."""
    large = StoredBytes(b"c-1", b"x" * size, [(b"name", b"value")])
    found, behind = fetched(batch(large, GOOD[0], codec="zstd"))
    assert (found.unreadable, found.first_offset) == (TOO_LARGE, None)
    assert (found.key, found.value, found.headers) == (None, None, ())
    assert behind.unreadable is None


def test_a_senders_header_is_never_taken_for_the_mark() -> None:
    forged = StoredBytes(b"k", b"v", [(NOT_UTF8.encode(), b"0"), (b"UnreadableMark", None)])
    [found] = fetched(batch(forged))
    assert (found.unreadable, found.first_offset, len(found.headers)) == (None, None, 2)


def test_the_bounds_of_a_batch_are_in_its_header() -> None:
    sent = batch(*GOOD, codec="zstd", first=40)
    assert bounds_of(memoryview(sent)) == BatchBounds(40, 41, AT)


def test_aiokafkas_fetcher_takes_its_batches_by_the_name_that_is_replaced() -> None:
    """Where a release of aiokafka or Faust reads otherwise, this says so before production does."""
    bound_fetches()
    bound_fetches()
    assert fetcher.MemoryRecords is BoundedRecords
    assert "MemoryRecords" in Fetcher._proc_fetch_request.__code__.co_names  # noqa: SLF001
    assert "fetched_records" in AIOKafkaConsumerThread._fetch_records.__code__.co_names  # noqa: SLF001


def test_a_record_that_was_read_before_is_not_given_again() -> None:
    """Where an uncompressed batch is read anew, because of a name within it."""
    bad = replace(GOOD[0], headers=[(b"\xff", None)])
    found = fetched(batch(GOOD[0], GOOD[0], bad, GOOD[0]), position=1)
    assert [it.offset for it in found] == [1, 2, 3]
