"""
The bounds of stored batches, asked of the broker.

librdkafka reports a batch that it can't decompress by its first offset alone, and reads it again
for ever. Where the batch ends is in its header, which is never compressed.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError as FetchFailed
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition
from confluent_kafka import KafkaError

from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.aiokafka_login import aiokafka_config
from order_runtime.kafka.record_batches import (
    BatchBounds,
    bounds_of,
    is_aborted,
    is_marker,
)

UNDECODABLE: Final = frozenset(
    {
        KafkaError._BAD_COMPRESSION,  # noqa: SLF001  librdkafka's own codes begin with _
        KafkaError._BAD_MSG,  # noqa: SLF001
        KafkaError._NOT_IMPLEMENTED,  # noqa: SLF001  an unknown codec or format
    }
)
"""What librdkafka reports of a batch that it can't read."""
_SECONDS: Final = 5.0
_WAIT_MS: Final = 500
_HEADER_BYTES: Final = 61
_LENGTH: Final = struct.Struct(">qi")
_COMMITTED: Final = 1  # isolation level: the answer says what was aborted
_ABORTED: Final = 5  # field of a partition in the answer, from version 5 on

Partition = tuple[str, int]  # topic and number
Aborted = Sequence[tuple[int, int]]  # producer's id and first offset


def stored_batch(
    kafka: KafkaAddress, topic: str, partition: int, offset: int
) -> BatchBounds | None:
    """
    Return the bounds of the batch that holds *offset*.

    None where no answer comes in time, or no such batch. Not for a thread with an event loop.
    """
    return asyncio.run(_stored_batch(kafka, TopicPartition(topic, partition), offset))


def first_batches(
    kafka: KafkaAddress, begin: Mapping[Partition, int], end: Mapping[Partition, int]
) -> dict[Partition, BatchBounds]:
    """
    Return the bounds of each partition's first batch with records, between *begin* and *end*.

    By headers alone: a batch is not decompressed, whatever it would inflate to. Markers and what
    was aborted are no records; a partition without any is left out. Raises TimeoutError or OSError
    where Kafka doesn't answer. Not for a thread with an event loop.
    """
    try:
        return asyncio.run(_first_batches(kafka, begin, end))
    except FetchFailed as error:
        raise OSError(type(error).__name__) from error


async def _first_batches(
    kafka: KafkaAddress, begin: Mapping[Partition, int], end: Mapping[Partition, int]
) -> dict[Partition, BatchBounds]:
    found: dict[Partition, BatchBounds] = {}
    async with asyncio.timeout(_SECONDS), _connected(kafka, {topic for topic, _ in begin}) as it:
        for place, offset in begin.items():
            first = await _first_batch(it, TopicPartition(*place), offset, end[place])
            if first is not None:
                found[place] = first
    return found


async def _first_batch(
    client: AIOKafkaClient, place: TopicPartition, begin: int, end: int
) -> BatchBounds | None:
    at = begin
    while at < end:
        data, aborted = await _fetch(client, place, at)
        batches = [it for it in _batches(memoryview(data)) if bounds_of(it).last >= at]
        for batch in batches:
            if not (is_marker(batch) or is_aborted(batch, aborted)):
                return bounds_of(batch)
        if not batches:
            return None
        at = bounds_of(batches[-1]).last + 1
    return None


async def _stored_batch(
    kafka: KafkaAddress, place: TopicPartition, offset: int
) -> BatchBounds | None:
    try:
        async with asyncio.timeout(_SECONDS), _connected(kafka, {place.topic}) as client:
            data, _ = await _fetch(client, place, offset)
    except (FetchFailed, TimeoutError, OSError):
        return None
    bounds = map(bounds_of, _batches(memoryview(data)))
    return next((it for it in bounds if it.last >= offset), None)


@asynccontextmanager
async def _connected(kafka: KafkaAddress, topics: Collection[str]) -> AsyncIterator[AIOKafkaClient]:
    client = AIOKafkaClient(**aiokafka_config(kafka))
    try:
        await client.bootstrap()
        await client.set_topics(topics)
        yield client
    finally:
        await client.close()


async def _fetch(
    client: AIOKafkaClient, place: TopicPartition, offset: int
) -> tuple[bytes, Aborted]:
    """Fetch as little as the broker gives, at least one whole batch; with what was aborted."""
    wanted = [(place.topic, [(place.partition, offset, 1)])]
    leader = client.cluster.leader_for_partition(place)
    if leader is None or leader < 0:
        return b"", ()
    response = await client.send(leader, FetchRequest(_WAIT_MS, 1, 1, _COMMITTED, wanted))
    [(_, [partition])] = response.topics
    return bytes(partition[-1] or b""), partition[_ABORTED] or ()


def _batches(data: memoryview) -> Iterator[memoryview]:
    """Yield each whole batch, and the header of the last one where that is cut off."""
    at = 0
    while len(data) - at >= _HEADER_BYTES:
        yield data[at:]
        _, length = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size + length
