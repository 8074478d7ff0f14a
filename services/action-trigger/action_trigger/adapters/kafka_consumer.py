"""Consumes `orders.actions`: actions are recorded as deliveries before offsets are committed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from action_trigger import metrics
from action_trigger.settings import Settings
from order_contracts.topics import ACTIONS, TRIGGER
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.aiokafka_login import aiokafka_config
from order_runtime.kafka.bounded_fetching import bound_fetches
from order_runtime.kafka.offsets import WHAT_TO_DO
from order_runtime.kafka.record_conversion import from_aiokafka
from order_runtime.kafka.records import Record
from order_runtime.mongo.stored_offsets import StoredOffsets
from order_runtime.observability.dependencies import KAFKA
from order_runtime.observability.progress import Loop
from order_runtime.process.errors import OffsetsLost
from order_runtime.process.log_events import (
    OFFSETS_NOT_COMMITTED,
    PARTITIONS_ASSIGNED,
)
from order_runtime.process.logs import log
from order_runtime.process.retry import retry

RecordActions = Callable[[Sequence[Record], datetime], Awaitable[None]]
"""Makes deliveries of records, and returns once they are durable."""

BATCH: Final = 500  # records
BATCH_BYTES: Final = 16 * 1024 * 1024  # of the values in a batch
PORTION: Final = 8  # records that are taken at once, whatever they weigh
BATCH_MS: Final = 500  # to wait for the first of them
PAUSE: Final = 1.0  # seconds before Kafka is tried again
DAY_MS: Final = 24 * 60 * 60 * 1000


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """Passes the assigned partitions on, at each rebalance."""

    def __init__(self, assign: Callable[[Collection[int]], None]) -> None:
        self._assign = assign
        self.ready = False

    def on_partitions_revoked(self, revoked: Collection[Any]) -> None:
        del revoked  # in this protocol it is all of them
        self._assign(())

    def on_partitions_assigned(self, assigned: Collection[Any]) -> None:
        partitions = sorted(topic_partition.partition for topic_partition in assigned)
        self._assign(partitions)
        self.ready = True
        log().info(PARTITIONS_ASSIGNED, partitions=partitions)


@dataclass(frozen=True, slots=True)
class Turns:
    """When batches are taken: until *stop*, none while *paused*; the member stays in its group."""

    stop: asyncio.Event
    loop: Loop
    paused: Callable[[], bool]


async def consume(
    settings: Settings,
    assignment: Assignment,
    record: RecordActions,
    offsets: StoredOffsets,
    turns: Turns,
) -> None:
    """
    Run until asked to stop.

    Raises OffsetsLost, DatabaseBehind, and what doesn't pass by waiting.
    """
    loop = turns.loop
    async with _consumer(settings.kafka_address, settings.instance, assignment) as consumer:
        while not turns.stop.is_set():
            if turns.paused():
                await asyncio.sleep(PAUSE)
                continue
            try:
                records = await take_batch(consumer)
            except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
                raise OffsetsLost(f"{error}. {WHAT_TO_DO}") from error
            except KafkaError as error:
                await _wait_out(error)
                continue
            if not records:
                continue
            loop.turn()
            # Record first, commit last: in the other order a crash in between would lose actions.
            # Stored in between: a database that is restored is known by lower offsets than Kafka's.
            with metrics.RECORD_SECONDS.time():
                await record(records, datetime.now(UTC))
            metrics.RECORD_ACTIONS.observe(len(records))
            await offsets.advance(records)
            await _commit(consumer, {_partition(it): it.offset + 1 for it in records})
            loop.rest()


async def take_batch(consumer: AIOKafkaConsumer) -> list[Record]:
    """Return what is there, up to BATCH records or about BATCH_BYTES; waits for the first."""
    records = await _take_portion(consumer, BATCH_MS)
    size = _bytes_of(records)
    while records and len(records) < BATCH and size < BATCH_BYTES:
        try:
            more = await _take_portion(consumer, 0)
        except KafkaError:
            break  # it comes again with the next take: what was taken is to be recorded first
        if not more:
            break
        records += more
        size += _bytes_of(more)
    return records


async def _take_portion(consumer: AIOKafkaConsumer, wait_ms: int) -> list[Record]:
    found = await consumer.getmany(timeout_ms=wait_ms, max_records=PORTION)
    return [from_aiokafka(item) for batch in found.values() for item in batch]


def _bytes_of(records: Sequence[Record]) -> int:
    return sum(len(record.value or b"") for record in records)


def _partition(record: Record) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


@asynccontextmanager
async def _consumer(
    kafka: KafkaAddress, instance: str, assignment: Assignment
) -> AsyncIterator[AIOKafkaConsumer]:
    bound_fetches()
    consumer = AIOKafkaConsumer(
        **aiokafka_config(kafka),
        client_id=instance,
        group_id=TRIGGER,
        enable_auto_commit=False,
        auto_offset_reset="none",
        # Within this time a deleted topic is dropped, and a topic that is created again is found.
        metadata_max_age_ms=30_000,
        session_timeout_ms=10_000,
        heartbeat_interval_ms=1_000,  # by which members learn of a rebalance
        # While MongoDB is away a batch waits; the member must not be expelled for it.
        max_poll_interval_ms=DAY_MS,
        retry_backoff_ms=500,
        rebalance_timeout_ms=30_000,
        fetch_max_bytes=32 * 1024 * 1024,
    )
    consumer.subscribe([ACTIONS.name], listener=assignment)
    try:
        await retry(consumer.start, _is_connection_error, KAFKA)
        yield consumer
    finally:
        await consumer.stop()


def _is_connection_error(error: Exception) -> bool:
    return isinstance(error, KafkaConnectionError)


async def _commit(consumer: AIOKafkaConsumer, offsets: dict[Any, int]) -> None:
    try:
        await consumer.commit(offsets)
    except (CommitFailedError, IllegalStateError) as error:
        # After a rebalance another worker reads these records again; recording is idempotent.
        log().warning(OFFSETS_NOT_COMMITTED, reason=type(error).__name__)
    except KafkaError as error:
        await _wait_out(error)


async def _wait_out(error: KafkaError) -> None:
    if not error.retriable:
        raise error
    KAFKA.failed(type(error).__name__)
    await asyncio.sleep(PAUSE)
