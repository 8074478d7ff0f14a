"""The consumer of `orders.commands`: takes batches, commits offsets, waits within its group."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from confluent_kafka import (
    OFFSET_INVALID,
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from pymongo.errors import PyMongoError

from order_contracts.topics import COMMANDS, WRITER
from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from order_runtime.kafka.batch_lookup import UNDECODABLE, stored_batch
from order_runtime.kafka.offsets import WHAT_TO_DO
from order_runtime.kafka.publisher import LOGGER
from order_runtime.kafka.record_conversion import from_confluent
from order_runtime.kafka.records import Record
from order_runtime.kafka.refusal_log import log_refusal
from order_runtime.process.errors import OffsetsLost
from order_runtime.process.log_events import PARTITIONS_ASSIGNED
from order_runtime.process.logs import log
from order_runtime.process.retry import transient
from order_writer.adapters.offset_commits import TRANSIENT, OffsetCommits
from order_writer.adapters.start_offsets import StartOffsets
from order_writer.adapters.stored_offsets import StoredOffsets
from order_writer.adapters.undecodable_batches import UndecodableBatches
from order_writer.domain.offset_tracker import OffsetTracker, StoredOffsetsBehind
from order_writer.log_events import PARTITIONS_LOST

CHECK_SECONDS: Final = 5.0  # between two looks at what MongoDB stores
PENDING_SECONDS: Final = 0.2  # between two attempts to find where partitions begin
UNPOLLED_SECONDS: Final = 5.0  # that a group waits for this member, where it changes meanwhile
FETCH_BYTES: Final = 32 * 1024 * 1024
RESPONSE_OVERHEAD: Final = 64 * 1024  # bytes of a response beside its records


class KafkaCommandSource:
    """The commands of the partitions that the consumer group assigns; for one thread."""

    def __init__(
        self,
        kafka: KafkaAddress,
        instance: str,
        stored: StoredOffsets,
        unpolled_seconds: float = UNPOLLED_SECONDS,
    ) -> None:
        self._unpolled_seconds = unpolled_seconds
        self._partitions: set[int] = set()
        self._pending: set[int] = set()
        """Assigned and paused, until Kafka and MongoDB have told where they begin."""
        self._stored = stored
        self._checked = self._polled = time.monotonic()
        self._offsets = OffsetTracker()
        self._starts = StartOffsets(stored, self._offsets)
        self._commits = OffsetCommits(self._offsets)
        self._idle = self._paused = False
        config = _config(kafka, instance) | {
            "on_commit": self._commits.answered,
            "error_cb": log_refusal,
        }
        self._consumer = Consumer(config, logger=LOGGER)
        self._undecodable = UndecodableBatches(self._consumer, partial(stored_batch, kafka))
        self._consumer.subscribe(
            [COMMANDS.name], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    @property
    def assigned(self) -> bool:
        """Whether partitions are assigned; may be read in any thread."""
        return bool(self._partitions)

    def take(self, limit: int, wait: float) -> list[Record]:
        """
        Return up to *limit* records; waits up to *wait* seconds for the first one.

        take() implies that the previous batch is settled: where no record comes, the offsets are
        stored and committed up to the consumer's positions. A batch that can't be read is one
        record, at its last offset. Raises OffsetsLost where an offset to read is not in the topic
        any more, and KafkaException.
        """
        self._go_on()
        self._undecodable.begin_take()
        self._check_stored()
        self._pending -= self._starts.begin(self._consumer, self._pending)
        first = self._consumer.poll(min(wait, PENDING_SECONDS) if self._pending else wait)
        if first is None:
            self._settle_positions()
        self._commits.send(self._consumer)  # where partitions begin below it, at once
        if first is None:
            return []
        # What is here by now: while a batch is settled, the next one gathers by itself.
        rest = self._consumer.consume(limit - 1, 0) if limit > 1 else []
        self._polled = time.monotonic()
        self._offsets.taken(self._partitions)
        found = (self._record(message) for message in (first, *rest))
        return [record for record in found if record is not None]

    def commit(self, records: Sequence[Record]) -> None:
        """
        Commit the offsets behind *records*, without waiting for the answer.

        A commit that fails only costs time: the ledger recognises the records when they are taken
        again. What the broker refuses is committed with the next batch, or by the next take()
        that finds none.
        """
        self._offsets.settled(records)
        self._commits.send(self._consumer)

    def rewind(self) -> None:
        """
        Read again from the offsets that MongoDB stores: it was restored to an earlier time.

        What was taken and not committed counts as never taken. The partitions are paused until
        MongoDB and Kafka answer.
        """
        self._consumer.pause(self._consumer.assignment())
        self._offsets.revoked(self._partitions)
        self._undecodable.revoked(self._partitions)
        self._pending |= self._partitions

    def _check_stored(self) -> None:
        """Rewind where MongoDB stores less than before; a record may be long in coming."""
        if time.monotonic() < self._checked + CHECK_SECONDS:
            return
        self._checked = time.monotonic()
        with self._stored_or_rewound():
            self._stored.check(self._partitions - self._pending)

    def _settle_positions(self) -> None:
        """Store how far the consumer has read, where that is past the last settled record."""
        ahead = self._offsets.ahead(self._positions())
        if ahead:
            with self._stored_or_rewound():
                self._stored.settle(ahead)
                self._offsets.read_to(ahead)

    @contextmanager
    def _stored_or_rewound(self) -> Iterator[None]:
        """Rewind where the block finds MongoDB restored; end the block where it is away."""
        try:
            yield
        except StoredOffsetsBehind:
            self.rewind()
        except PyMongoError as error:
            if not transient(error):
                raise

    def _positions(self) -> dict[int, int]:
        """Return the next offset to read of each partition that has been read from."""
        assigned = _places(self._partitions - self._pending)
        found = self._consumer.position(assigned) if assigned else []
        read = {it.partition: it.offset for it in found if it.offset >= 0}
        return {**self._undecodable.positions, **read}

    def idle(self, seconds: float) -> None:
        """
        Wait, but stay in the consumer group: polled in time, with all partitions paused.

        They stay paused until the next take(). Pausing drops what was fetched ahead, so that up to
        FETCH_BYTES are fetched again, from brokers that may be what is waited for.
        """
        if time.monotonic() - self._polled < self._unpolled_seconds:
            time.sleep(seconds)
            return
        self._consumer.pause(self._consumer.assignment())
        self._idle = self._paused = True
        try:
            message = self._consumer.poll(seconds)
            if message is None:
                return
            error = message.error()
            if error is None:
                raise AssertionError("a paused partition returned a record")
            _check(error, message)
        finally:
            self._idle = False

    def _go_on(self) -> None:
        """Fetch again after a wait, but where it isn't known yet where to begin."""
        if self._paused:
            assigned = self._consumer.assignment()
            self._consumer.resume([it for it in assigned if it.partition not in self._pending])
            self._paused = False

    def close(self) -> None:
        """Leave the consumer group, without committing anything more."""
        self._consumer.close()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        assigned = {place.partition for place in partitions}
        # Not with a batch in hand: what was seen stored when it was taken must still count for it.
        starts = None if self._idle else self._starts.of(consumer, assigned)
        consumer.incremental_assign(_places(assigned, starts or {}))
        # A partition that was paused when it was lost is still paused when it is assigned again.
        (consumer.pause if starts is None else consumer.resume)(partitions)
        self._partitions |= assigned
        if starts is None:
            self._pending |= assigned
        log().info(PARTITIONS_ASSIGNED, partitions=sorted(p.partition for p in partitions))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_unassign(partitions)
        # Not the consumer's own assignment: while it is closing, that is empty.
        revoked = {place.partition for place in partitions}
        self._partitions -= revoked
        self._pending -= revoked
        self._offsets.revoked(revoked)
        self._undecodable.revoked(revoked)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._revoked(consumer, partitions)
        log().warning(PARTITIONS_LOST, partitions=sorted(p.partition for p in partitions))

    def _record(self, message: Message) -> Record | None:
        error = message.error()
        if error is None:
            return _record(message)
        _check(error, message)
        if error.code() in UNDECODABLE and message.partition() in self._partitions:
            return self._undecodable.skip(message)
        return None


def _config(kafka: KafkaAddress, instance: str) -> dict[str, Any]:
    return librdkafka_config(kafka) | {
        "client.id": instance,
        "group.id": WRITER,
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 1_000,  # members learn of a rebalance by its answer
        # A long outage of the database or a broker must not cost the partitions.
        "max.poll.interval.ms": 24 * 60 * 60 * 1_000,
        "queued.max.messages.kbytes": 32 * 1024,
        "fetch.max.bytes": FETCH_BYTES,
        # Bounds what a batch in zstd may inflate to, as well; a larger one is undecodable.
        "receive.message.max.bytes": FETCH_BYTES + RESPONSE_OVERHEAD,
        "max.partition.fetch.bytes": 4 * 1024 * 1024,
        "reconnect.backoff.max.ms": 1_000,
        # A join that fails to learn of its topic is tried again with the next refresh: by default,
        # the consumer is outside its group for five minutes.
        "topic.metadata.refresh.interval.ms": 10_000,
    }


def _places(
    partitions: Iterable[int], offsets: Mapping[int, int] = MappingProxyType({})
) -> list[TopicPartition]:
    """Return partitions by number, each with its offset where it has one."""
    return [TopicPartition(COMMANDS.name, it, offsets.get(it, OFFSET_INVALID)) for it in partitions]


def _record(message: Message) -> Record:
    kind, _ = message.timestamp()
    if kind != TIMESTAMP_LOG_APPEND_TIME:
        raise AssertionError("orders.commands must be set to LogAppendTime")
    return from_confluent(message)


def _check(error: KafkaError, at: Message) -> None:
    """Ignore the errors that are recovered from, or skipped; raise the others."""
    if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
        raise OffsetsLost(f"{at.topic()} {at.partition()}: {error.str()}. {WHAT_TO_DO}")
    if error.code() not in TRANSIENT | UNDECODABLE | {KafkaError._PARTITION_EOF}:  # noqa: SLF001
        raise KafkaException(error)
