"""Publishes whole batches, byte by byte, as no client would write them."""

from __future__ import annotations

import asyncio

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.structs import TopicPartition

from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.aiokafka_login import aiokafka_config
from support.stack.kafka_records import stored_as_sent


def publish_batch(kafka: KafkaAddress, topic: str, partition: int, batch: bytes) -> int:
    """Publish *batch*, which the broker gives other offsets; return its first one."""
    error, offset = send_batch(kafka, topic, partition, batch)
    assert error == 0, f"the broker refused the batch with error {error}"
    return offset


def publish_as_sent(kafka: KafkaAddress, topic: str, partition: int, batch: bytes) -> int:
    """Publish *batch* as `publish_batch` does, and have it stored compressed as it is."""
    with stored_as_sent(kafka, topic):
        return publish_batch(kafka, topic, partition, batch)


def send_batch(kafka: KafkaAddress, topic: str, partition: int, batch: bytes) -> tuple[int, int]:
    """Send *batch*; return the broker's error code, 0 for none, and the first offset."""
    return asyncio.run(_send_batch(kafka, TopicPartition(topic, partition), batch))


async def _send_batch(kafka: KafkaAddress, place: TopicPartition, batch: bytes) -> tuple[int, int]:
    client = AIOKafkaClient(**aiokafka_config(kafka))
    await client.bootstrap()
    try:
        await client.set_topics([place.topic])
        leader = client.cluster.leader_for_partition(place)
        request = ProduceRequest(None, -1, 20_000, [(place.topic, [(place.partition, batch)])])
        response = await client.send(leader, request)
        [(_, [(_, error, offset, *_)])] = response.topics
        return int(error), int(offset)
    finally:
        await client.close()
