"""Commands from Kafka: batches in, offsets out, and a way to wait without leaving the group."""

from __future__ import annotations

from collections.abc import Sequence
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
from order_runtime.kafka.offsets import WHAT_TO_DO
from order_runtime.kafka.publisher import LOGGER
from order_runtime.kafka.received import from_confluent
from order_runtime.kafka.records import Record
from order_runtime.process.errors import OffsetsLost
from order_runtime.process.logs import log
from order_writer.domain.offset_tracker import OffsetTracker

GATHER_SECONDS: Final = 0.005  # for the rest of a batch, once its first record is here
_GONE: Final = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError._ASSIGNMENT_LOST,  # noqa: SLF001  librdkafka's own codes begin with _
        KafkaError._NO_OFFSET,  # noqa: SLF001
    }
)
_PASSING: Final = frozenset(
    {
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError._WAIT_COORD,  # noqa: SLF001
    }
)


class KafkaCommandSource:
    """The consumer of `orders.commands`, for one thread."""

    def __init__(self, kafka: str, instance: str) -> None:
        self._mine: set[int] = set()
        self._progress = OffsetTracker()
        self._idle = False
        config = _config(kafka, instance) | {"on_commit": self._committed}
        self._consumer = Consumer(config, logger=LOGGER)
        self._consumer.subscribe(
            [COMMANDS.name], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )

    @property
    def assigned(self) -> bool:
        """Whether there are partitions to read; may be asked from any thread."""
        return bool(self._mine)

    def take(self, limit: int, wait: float) -> list[Record]:
        """
        Return up to *limit* records; waits up to *wait* seconds for the first one.

        Who takes again has settled what was taken before.
        """
        first = self._consumer.poll(wait)
        if first is None:
            self._progress.read_to(self._positions())
            self._commit()
            return []
        rest = self._consumer.consume(limit - 1, GATHER_SECONDS) if limit > 1 else []
        self._progress.taken(self._mine)
        return [record for message in (first, *rest) if (record := _record(message)) is not None]

    def commit(self, records: Sequence[Record]) -> None:
        """
        Commit past *records*, which are settled, without waiting for the answer.

        What isn't committed is only slower: the ledger recognises what comes again. What was
        refused is committed with what is settled next, or when there is nothing to take.
        """
        self._progress.settled(records)
        self._commit()

    def _positions(self) -> dict[int, int]:
        """Return up to where each partition is read; nothing of one that is just beginning."""
        mine = [TopicPartition(COMMANDS.name, it) for it in self._mine]
        found = self._consumer.position(mine) if mine else []
        return {it.partition: it.offset for it in found if it.offset >= 0}

    def _commit(self) -> None:
        # Never what is lost: to commit under a membership that is over is fatal.
        due = [TopicPartition(COMMANDS.name, *it) for it in self._progress.due().items()]
        if not due:
            return
        try:
            self._consumer.commit(offsets=due, asynchronous=True)
        except KafkaException as error:
            self._committed(error.args[0], due)

    def _committed(self, error: KafkaError | None, offsets: list[TopicPartition]) -> None:
        reasons = {it.partition: why for it in offsets if (why := error or it.error) is not None}
        for why in reasons.values():
            if why.code() not in _GONE | _PASSING:
                raise KafkaException(why)
        if reasons:
            names = sorted({why.name() for why in reasons.values()})
            log().warning("offsets not committed", partitions=sorted(reasons), reasons=names)
        for place in offsets:
            refused = place.partition in reasons
            self._progress.answered(place.partition, place.offset, refused=refused)

    def idle(self, seconds: float) -> None:
        """Wait, and stay in the group: polls with all partitions paused."""
        self._consumer.pause(self._consumer.assignment())
        self._idle = True
        try:
            message = self._consumer.poll(seconds)
            if message is not None and _record(message) is not None:
                raise AssertionError("a paused partition gave a record")
        finally:
            self._idle = False
            self._consumer.resume(self._consumer.assignment())

    def close(self) -> None:
        self._consumer.close()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_assign(partitions)
        # A partition that was paused when it was lost is still paused when it comes back.
        (consumer.pause if self._idle else consumer.resume)(partitions)
        self._mine |= {place.partition for place in partitions}
        log().info("partitions assigned", partitions=sorted(p.partition for p in partitions))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        consumer.incremental_unassign(partitions)
        # Not the client's own list: while it is closing it gives none.
        gone = {place.partition for place in partitions}
        self._mine -= gone
        self._progress.given_up(gone)

    def _lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._revoked(consumer, partitions)
        log().warning("partitions lost", partitions=sorted(p.partition for p in partitions))


def _config(kafka: str, instance: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": kafka,
        "client.id": instance,
        "group.id": WRITER,
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 10_000,
        "heartbeat.interval.ms": 1_000,  # by which members learn that one came or left
        # A database or a broker that is away for long must not cost the partitions.
        "max.poll.interval.ms": 24 * 60 * 60 * 1_000,
        "queued.max.messages.kbytes": 32 * 1024,
        "fetch.max.bytes": 32 * 1024 * 1024,
        "max.partition.fetch.bytes": 4 * 1024 * 1024,
        "reconnect.backoff.max.ms": 1_000,
    }


def _record(message: Message) -> Record | None:
    error = message.error()
    if error is not None:
        _check(error, message)
        return None
    kind, _ = message.timestamp()
    if kind != TIMESTAMP_LOG_APPEND_TIME:
        raise AssertionError("orders.commands must be set to LogAppendTime")
    return from_confluent(message)


def _check(error: KafkaError, at: Message) -> None:
    """Pass over what librdkafka mends by itself; raise the rest."""
    if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
        raise OffsetsLost(f"{at.topic()} {at.partition()}: {error.str()}. {WHAT_TO_DO}")
    if error.code() not in _PASSING | {KafkaError._PARTITION_EOF}:  # noqa: SLF001
        raise KafkaException(error)
