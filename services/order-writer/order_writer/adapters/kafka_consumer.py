"""The consumer of `orders.commands`: takes batches, commits offsets, waits within its group."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from confluent_kafka import (
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from order_contracts.topics import COMMANDS, WRITER
from order_runtime.kafka.batch_lookup import UNDECODABLE, stored_batch
from order_runtime.kafka.offsets import WHAT_TO_DO
from order_runtime.kafka.publisher import LOGGER
from order_runtime.kafka.record_conversion import from_confluent
from order_runtime.kafka.records import Record
from order_runtime.process.errors import OffsetsLost
from order_runtime.process.log_events import PARTITIONS_ASSIGNED
from order_runtime.process.logs import log
from order_writer.adapters.offset_commits import TRANSIENT, OffsetCommits
from order_writer.adapters.undecodable_batches import UndecodableBatches
from order_writer.domain.offset_tracker import OffsetTracker
from order_writer.log_events import PARTITIONS_LOST

GATHER_SECONDS: Final = 0.005  # for more records, once the first of a batch is here
FETCH_BYTES: Final = 32 * 1024 * 1024
RESPONSE_OVERHEAD: Final = 64 * 1024  # bytes of a response beside its records


class KafkaCommandSource:
    """The commands of the partitions that the consumer group assigns; for one thread."""

    def __init__(self, kafka: str, instance: str) -> None:
        self._partitions: set[int] = set()
        self._offsets = OffsetTracker()
        self._commits = OffsetCommits(self._offsets)
        self._idle = False
        config = _config(kafka, instance) | {"on_commit": self._commits.answered}
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
        committed up to the consumer's positions. A batch that can't be read is one record, at its
        last offset. Raises OffsetsLost where an offset to read is not in the topic any more, and
        KafkaException.
        """
        self._undecodable.begin_take()
        first = self._consumer.poll(wait)
        if first is None:
            self._offsets.read_to(self._positions())
            self._commits.send(self._consumer)
            return []
        rest = self._consumer.consume(limit - 1, GATHER_SECONDS) if limit > 1 else []
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

    def _positions(self) -> dict[int, int]:
        """Return the next offset to read of each partition that has been read from."""
        assigned = [TopicPartition(COMMANDS.name, it) for it in self._partitions]
        found = self._consumer.position(assigned) if assigned else []
        read = {it.partition: it.offset for it in found if it.offset >= 0}
        return {**self._undecodable.positions, **read}

    def idle(self, seconds: float) -> None:
        """Wait, but stay in the consumer group: polls with all partitions paused."""
        self._consumer.pause(self._consumer.assignment())
        self._idle = True
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
            self._consumer.resume(self._consumer.assignment())

    def close(self) -> None:
        """Leave the consumer group, without committing anything more."""
        self._consumer.close()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        # A partition that was paused when it was lost is still paused when it is assigned again.
        (consumer.pause if self._idle else consumer.resume)(partitions)
        self._partitions |= {place.partition for place in partitions}
        log().info(PARTITIONS_ASSIGNED, partitions=sorted(p.partition for p in partitions))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_unassign(partitions)
        # Not the consumer's own assignment: while it is closing, that is empty.
        revoked = {place.partition for place in partitions}
        self._partitions -= revoked
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


def _config(kafka: str, instance: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": kafka,
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
