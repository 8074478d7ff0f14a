"""A source gives each command until it is committed, and none after: in memory and from Kafka."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Protocol

import pytest

from order_contracts.topics import COMMANDS, WRITER
from order_runtime.kafka.partitioning import partition_of
from order_runtime.kafka.record_batches import BatchBounds
from order_runtime.kafka.record_conversion import unreadable_batch
from order_runtime.kafka.records import NOT_UTF8, Record
from order_runtime.mongo.client import CONSUMER_OFFSETS, client
from order_writer.app.ports import CommandSource
from order_writer.domain.offset_tracker import ends
from support.builders.bodies import order_body, unique
from support.builders.commands import command_record, raw_record, register
from support.builders.raw_records import RawRecord, register_record
from support.builders.stored_batches import StoredBytes, batch_bytes
from support.fakes.memory_source import MemorySource
from support.harness.command_source import StoringSource
from support.stack.consumer_groups import committed_offset, group_is_empty, lag, set_offsets
from support.stack.kafka_records import publish_records
from support.stack.running_stack import RunningStack
from support.stack.stored_batches import publish_as_sent
from support.stack.wait import until

SECONDS = 5.0  # in which a consumer that is alone joins its group, and gets what is there
ATTEMPTS = 12  # to take what is there
MARGIN = 3.0  # seconds by which a bounded wait may be late on a busy machine
INSTANT = 0.001  # seconds in which no record comes from Kafka
NOTHING = 0.3  # seconds to wait for what doesn't come


class Process(Protocol):
    """A consumer group, and one process of it at a time."""

    def publish(self, *order_ids: str) -> None:
        """Publish a valid command of each order."""
        ...

    def publish_raw(self, sent: RawRecord) -> None: ...
    def publish_undecodable(self, count: int) -> None:
        """Publish a batch of *count* records, on partition 0, which no client decompresses."""
        ...

    def publish_stored(self, *sent: StoredBytes) -> None:
        """Publish records on partition 0, as no client would write them."""
        ...

    def start(self) -> CommandSource:
        """End the process without another commit, if there is one, and start the next."""
        ...

    def store(self, records: Sequence[Record]) -> None:
        """Store the offsets behind *records* in the database, without committing them."""
        ...

    def restore(self, records: Sequence[Record]) -> None:
        """Restore the database to where it was before *records* were applied."""
        ...

    def committed(self, partition: int) -> int:
        """Return the group's offset of a partition."""
        ...

    def reset(self, partition: int, offset: int) -> None:
        """End the process, and set the group's offset of a partition, as an operator does."""
        ...


@dataclass
class MemoryProcess:
    """A list as the topic."""

    records: list[Record] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)
    stored: dict[int, int] = field(default_factory=dict)

    def publish(self, *order_ids: str) -> None:
        self.records += [command_record(register(each)) for each in order_ids]

    def publish_raw(self, sent: RawRecord) -> None:
        pairs = tuple((name, it.encode() if isinstance(it, str) else it) for name, it in sent.pairs)
        self.records.append(replace(raw_record(sent.value, sent.key), headers=pairs))

    def publish_undecodable(self, count: int) -> None:
        first = raw_record(None, None).offset
        last = [raw_record(None, None).offset for _ in range(count - 1)][-1]
        bounds = BatchBounds(first, last, at=0)
        self.records.append(unreadable_batch(COMMANDS.name, 0, bounds))

    def publish_stored(self, *sent: StoredBytes) -> None:
        for each in sent:
            made = replace(raw_record(each.value, each.key), headers=(), unreadable=NOT_UTF8)
            self.records.append(made)

    def start(self) -> CommandSource:
        return MemorySource(self.records, offsets=self.offsets, stored=self.stored, stores=True)

    def store(self, records: Sequence[Record]) -> None:
        self.stored |= ends(records)

    def restore(self, records: Sequence[Record]) -> None:
        self.stored |= starts(records)

    def committed(self, partition: int) -> int:
        return self.offsets[partition]

    def reset(self, partition: int, offset: int) -> None:
        self.offsets[partition] = offset


@dataclass
class KafkaProcess:
    """Reads `orders.commands` as the order-writer does, which is stopped meanwhile."""

    stack: RunningStack
    source: StoringSource | None = None

    def publish(self, *order_ids: str) -> None:
        publish_records(self.stack.kafka, [register_record(order_body(each)) for each in order_ids])

    def publish_raw(self, sent: RawRecord) -> None:
        publish_records(self.stack.kafka, [sent])

    def publish_undecodable(self, count: int) -> None:
        large = StoredBytes(b"secret", bytes((60 << 20) // count))
        self._publish_batch(batch_bytes([large] * count, "zstd", at=None))

    def publish_stored(self, *sent: StoredBytes) -> None:
        self._publish_batch(batch_bytes(sent, at=None))

    def _publish_batch(self, batch: bytes) -> None:
        publish_as_sent(self.stack.kafka, COMMANDS.name, 0, batch)

    def start(self) -> StoringSource:
        self.stop()
        stack = self.stack
        self.source = StoringSource(stack.kafka, "conformance", stack.mongo, stack.database)
        return self.source

    def store(self, records: Sequence[Record]) -> None:
        assert self.source is not None
        self.source.stored.settle(ends(records))

    def restore(self, records: Sequence[Record]) -> None:
        with client(self.stack.mongo, "test") as mongo:
            for partition, offset in starts(records).items():
                place = {"_id": f"{WRITER}/{COMMANDS.name}/{partition}"}
                offsets = mongo[self.stack.database][CONSUMER_OFFSETS]
                offsets.update_one(place, {"$set": {"next": offset}})

    def committed(self, partition: int) -> int:
        return committed_offset(self.stack.kafka, WRITER, COMMANDS.name, partition)

    def reset(self, partition: int, offset: int) -> None:
        self.stop()
        until(lambda: group_is_empty(self.stack, WRITER), seconds=60)
        set_offsets(self.stack, WRITER, COMMANDS.name, {partition: offset})

    def stop(self) -> None:
        if self.source is not None:
            self.source.close()

    def settle_all(self) -> None:
        """Commit what other tests left in the topic."""
        source = self.start()
        until(lambda: source.take(1_000, 0.1) or source.assigned, seconds=60, of="the partitions")
        until(lambda: not source.take(1_000, 1.0), seconds=60)
        until(lambda: not lag(self.stack.kafka, WRITER, COMMANDS.name), of="the commits")


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.stack)])
def process(request: pytest.FixtureRequest) -> Iterator[Process]:
    if request.param == "memory":
        yield MemoryProcess()
        return
    real = KafkaProcess(request.getfixturevalue("without_writer"))
    try:
        real.settle_all()
        yield real
        real.settle_all()
    finally:
        real.stop()


def ids(count: int, *, partition: int = 0) -> list[str]:
    """Return new orderIds of one partition, whose commands are taken in the order they came."""
    found: list[str] = []
    while len(found) < count:
        order_id = unique("taken")
        if partition_of(order_id.encode(), COMMANDS.partitions) == partition:
            found.append(order_id)
    return found


def take(source: CommandSource, count: int) -> list[Record]:
    """Take *count* records and no more."""
    taken: list[Record] = []
    for _ in range(ATTEMPTS):
        taken += source.take(count - len(taken), SECONDS)
        if len(taken) >= count:
            return taken
    raise AssertionError(f"{len(taken)} of {count} records after {ATTEMPTS} attempts")


def starts(records: Sequence[Record]) -> dict[int, int]:
    """Return the offset of the first of *records* in each partition."""
    return {it.partition: it.offset for it in reversed(records)}


def keys(records: Sequence[Record]) -> list[str]:
    return [(it.key or b"").decode() for it in records]


def test_a_record_is_given_as_it_was_published(process: Process) -> None:
    """With what is wrong with it, for the decoder to find."""
    headers = (("ce_id", b"a"), ("ce_id", b"\xff"), ("none", None), ("empty", b""))
    process.publish_raw(RawRecord(None, None, headers))
    process.publish_raw(RawRecord(b"\xff", b"{", []))

    one, other = sorted(take(process.start(), 2), key=lambda it: it.value or b"")

    assert (one.topic, one.key, one.value) == ("orders.commands", None, None)
    assert one.headers == headers
    assert (other.key, other.value, other.headers) == (b"\xff", b"{", ())
    assert other.at.utcoffset() == timedelta(0)
    assert other.at.microsecond % 1000 == 0


def test_records_of_a_partition_come_in_order_and_no_more_than_asked(process: Process) -> None:
    published = ids(5)
    process.publish(*published)
    source = process.start()
    batches = [take(source, 2), take(source, 2), take(source, 1)]
    assert [keys(batch) for batch in batches] == [published[:2], published[2:4], published[4:]]
    offsets = [it.offset for batch in batches for it in batch]
    assert offsets == sorted(set(offsets))


def test_what_was_not_committed_is_given_to_the_next_process(process: Process) -> None:
    """Also what was given later than something that was committed."""
    published = ids(3)
    process.publish(*published)
    source = process.start()
    source.commit(take(source, 1))
    take(source, 2)
    assert keys(take(process.start(), 2)) == published[1:]


def test_of_a_batch_only_the_records_that_are_committed_count(process: Process) -> None:
    """A batch is settled in parts where it is too large for one transaction."""
    published = ids(3)
    process.publish(*published)
    source = process.start()
    batch = take(source, 3)
    source.commit(batch[:2])
    assert keys(take(process.start(), 1)) == published[2:]


def test_what_was_committed_is_given_to_nobody_again(process: Process) -> None:
    """On each of its partitions."""
    process.publish(*ids(2, partition=1), *ids(2, partition=2))
    source = process.start()
    source.commit(take(source, 4))
    after = ids(1, partition=1) + ids(1, partition=2)
    process.publish(*after)
    assert sorted(keys(take(process.start(), 2))) == sorted(after)


def test_a_take_that_finds_nothing_settles_what_was_taken_before(process: Process) -> None:
    """Its caller takes again only when everything is done: so no lag is left where none is."""
    process.publish(*ids(2))
    source = process.start()
    take(source, 2)
    assert source.take(10, NOTHING) == []
    (after,) = ids(1)
    process.publish(after)
    assert keys(take(process.start(), 1)) == [after]


def test_a_take_that_finds_nothing_does_not_wait_for_longer(process: Process) -> None:
    source = process.start()
    process.publish(*ids(1))
    source.commit(take(source, 1))
    began = time.monotonic()
    assert source.take(10, NOTHING) == []
    assert time.monotonic() - began < NOTHING + MARGIN


def test_idling_takes_nothing_and_settles_nothing(process: Process) -> None:
    """A batch that waits for MongoDB is neither overtaken nor committed."""
    published = ids(4)
    process.publish(*published[:3])
    source = process.start()
    source.commit(take(source, 1))
    take(source, 1)

    began = time.monotonic()
    source.idle(NOTHING)
    assert time.monotonic() - began < NOTHING + MARGIN

    process.publish(published[3])
    source.idle(NOTHING)
    assert keys(take(source, 2)) == published[2:]
    assert keys(take(process.start(), 3)) == published[1:]


def test_a_process_that_idled_commits_as_before(process: Process) -> None:
    """It is still a member of its group, with the same partitions."""
    published = ids(2)
    process.publish(*published)
    source = process.start()
    batch = take(source, 1)
    for _ in range(3):
        source.idle(NOTHING)
    source.commit(batch)
    assert keys(take(process.start(), 1)) == published[1:]


def test_a_batch_that_no_client_decompresses_is_one_record(process: Process) -> None:
    """At the batch's last offset, so that it is settled with it; what is behind it goes on."""
    before, behind = ids(2), ids(2)
    process.publish(*before)
    process.publish_undecodable(3)
    process.publish(*behind)
    source = process.start()

    first, second, batch, third, fourth = take(source, 5)

    assert keys([first, second, third, fourth]) == before + behind
    assert (batch.key, batch.value, batch.headers) == (None, None, ())
    assert batch.unreadable is not None
    assert batch.first_offset == second.offset + 1
    assert (batch.offset, third.offset) == (batch.first_offset + 2, batch.offset + 1)
    assert batch.partition == 0
    source.commit([first, second, batch])
    assert keys(take(process.start(), 2)) == behind


def test_a_batch_that_was_not_settled_is_given_again(process: Process) -> None:
    """With the same place: its job must have the same id."""
    process.publish_undecodable(2)
    process.publish_undecodable(2)
    [batch, next_one] = take(process.start(), 2)
    assert next_one.first_offset == batch.offset + 1
    source = process.start()
    assert take(source, 2) == [batch, next_one]
    source.commit([batch])
    assert take(process.start(), 1) == [next_one]


def test_an_undecodable_batch_waits_while_the_source_idles(process: Process) -> None:
    published = ids(2)
    process.publish(published[0])
    process.publish_undecodable(2)
    process.publish(published[1])
    source = process.start()
    take(source, 1)
    source.idle(NOTHING)
    batch, behind = take(source, 2)
    assert batch.first_offset is not None
    assert keys([behind]) == published[1:]


def test_a_record_whose_header_names_are_not_utf_8_is_given_with_the_reason(
    process: Process,
) -> None:
    """With its key and value, for a dead letter that can be sent again; without its headers."""
    bad = StoredBytes(b"o-1", b"{}", [(b"ce_id", b"x"), (b"na\xffme", b"y")])
    process.publish_stored(bad, bad)
    [behind] = ids(1)
    process.publish(behind)
    first, second, good = take(process.start(), 3)
    for record in (first, second):
        assert (record.key, record.value, record.headers) == (b"o-1", b"{}", ())
        assert record.unreadable == NOT_UTF8
    assert (keys([good]), good.unreadable) == ([behind], None)


def test_what_was_stored_and_not_announced_is_given_again(process: Process) -> None:
    """A crash between the transaction and the commit: Kafka's offset is the lower one."""
    published = ids(2)
    process.publish(*published)
    source = process.start()
    process.store(take(source, 2))
    assert keys(take(process.start(), 2)) == published


def restored(process: Process, published: Sequence[str], count: int) -> list[Record]:
    """Settle *count* of what is published, and restore the database to behind the first of them."""
    process.publish(*published)
    source = process.start()
    batch = take(source, count)
    source.commit(batch)
    until(lambda: process.committed(0) == batch[-1].offset + 1)
    process.restore(batch[1:])
    return batch


def test_what_a_restored_database_lacks_is_given_again_and_counts_as_lag(process: Process) -> None:
    """MongoDB's offset is the lower one; exactly what lies between is read again."""
    published = ids(4)
    batch = restored(process, published, 3)

    source = process.start()
    again = take(source, 3)

    assert keys(again) == published[1:]
    until(lambda: source.take(1, NOTHING) or process.committed(0) == batch[-1].offset + 2)


def test_a_lowered_offset_is_committed_at_once(process: Process) -> None:
    """So that the lag is true, although what is read again isn't settled yet."""
    batch = restored(process, ids(3), 3)

    source = process.start()
    take(source, 2)
    source.idle(NOTHING)

    until(lambda: process.committed(0) == batch[1].offset)


def test_a_source_that_rewinds_gives_what_the_database_lacks(process: Process) -> None:
    """The database was restored under it; what was taken since doesn't count."""
    published = ids(5)
    process.publish(*published)
    source = process.start()
    source.commit(batch := take(source, 2))
    take(source, 1)
    process.restore(batch[1:])
    source.rewind()
    assert keys(take(source, 4)) == published[1:]


def test_a_source_that_rewinds_settles_nothing_before_it_is_given_a_record(
    process: Process,
) -> None:
    """A client may tell its position of before until then."""
    published = ids(2)
    process.publish(*published)
    source = process.start()
    source.commit(batch := take(source, 2))
    process.restore(batch)
    source.rewind()
    until(lambda: source.take(10, INSTANT))
    assert keys(take(process.start(), 2)) == published


def test_an_operators_reset_to_an_earlier_offset_is_heeded(process: Process) -> None:
    """What is stored is higher, and is never lowered."""
    published = ids(3)
    process.publish(*published)
    source = process.start()
    source.commit(batch := take(source, 3))
    until(lambda: process.committed(0) == batch[-1].offset + 1)
    process.reset(0, batch[1].offset)
    assert keys(take(process.start(), 2)) == published[1:]
