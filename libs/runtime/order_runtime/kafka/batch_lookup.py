"""
The bounds of a stored batch, asked of the broker.

librdkafka reports a batch that it can't decompress by its first offset alone, and reads it again
for ever. Where the batch ends is in its header, which is never compressed.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from typing import Final

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError as FetchFailed
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition
from confluent_kafka import KafkaError

from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.aiokafka_login import aiokafka_config
from order_runtime.kafka.record_batches import BatchBounds, bounds_of

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


def stored_batch(
    kafka: KafkaAddress, topic: str, partition: int, offset: int
) -> BatchBounds | None:
    """
    Return the bounds of the batch that holds *offset*.

    None where no answer comes in time, or no such batch. Not for a thread with an event loop.
    """
    return asyncio.run(_stored_batch(kafka, TopicPartition(topic, partition), offset))


async def _stored_batch(
    kafka: KafkaAddress, place: TopicPartition, offset: int
) -> BatchBounds | None:
    client = AIOKafkaClient(**aiokafka_config(kafka))
    try:
        async with asyncio.timeout(_SECONDS):
            await client.bootstrap()
            await client.set_topics([place.topic])
            data = await _fetch(client, place, offset)
    except (FetchFailed, TimeoutError, OSError):
        return None
    finally:
        await client.close()
    return next((it for it in _batches(memoryview(data)) if it.last >= offset), None)


async def _fetch(client: AIOKafkaClient, place: TopicPartition, offset: int) -> bytes:
    """Fetch as little as the broker gives, which is at least one whole batch."""
    wanted = [(place.topic, [(place.partition, offset, 1)])]
    leader = client.cluster.leader_for_partition(place)
    if leader is None or leader < 0:
        return b""
    response = await client.send(leader, FetchRequest(_WAIT_MS, 1, 1, 0, wanted))
    [(_, [partition])] = response.topics
    return bytes(partition[-1] or b"")


def _batches(data: memoryview) -> Iterator[BatchBounds]:
    at = 0
    while len(data) - at >= _HEADER_BYTES:
        yield bounds_of(data[at:])
        _, length = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size + length
