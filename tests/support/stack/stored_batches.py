"""Publishes whole batches, byte by byte, as no client would write them."""

from __future__ import annotations

import asyncio

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.structs import TopicPartition


def publish_batch(kafka: str, topic: str, partition: int, batch: bytes) -> int:
    """Publish *batch*, which the broker gives other offsets; return its first one."""
    return asyncio.run(_publish_batch(kafka, TopicPartition(topic, partition), batch))


async def _publish_batch(kafka: str, place: TopicPartition, batch: bytes) -> int:
    client = AIOKafkaClient(bootstrap_servers=kafka)
    await client.bootstrap()
    try:
        await client.set_topics([place.topic])
        leader = client.cluster.leader_for_partition(place)
        request = ProduceRequest(None, -1, 20_000, [(place.topic, [(place.partition, batch)])])
        response = await client.send(leader, request)
        [(_, [(_, error, offset, *_)])] = response.topics
        assert error == 0, f"the broker refused the batch with error {error}"
        return int(offset)
    finally:
        await client.close()
