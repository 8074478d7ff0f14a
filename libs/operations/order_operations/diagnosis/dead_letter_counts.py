"""How many dead letters came lately."""

from __future__ import annotations

from datetime import datetime

from confluent_kafka import TopicPartition
from confluent_kafka.admin import OffsetSpec

from order_operations.consumer_lag import REQUEST_SECONDS, partition_offsets
from order_operations.dead_letter_view import DEAD_LETTER_TOPICS
from order_operations.diagnosis.facts import DeadLetterCount
from order_operations.kafka_client import admin_client
from order_runtime.kafka.address import KafkaAddress


def recent_dead_letters(kafka: KafkaAddress, since: datetime) -> list[DeadLetterCount]:
    """
    Return for each topic of dead letters how many came since then, handled ones included.

    By offsets alone: no letter is read. Raises KafkaException or TimeoutError where Kafka doesn't
    answer.
    """
    client = admin_client(kafka)
    known = client.list_topics(timeout=REQUEST_SECONDS).topics
    partitions = [
        TopicPartition(topic, number)
        for topic in DEAD_LETTER_TOPICS
        if topic in known
        for number in known[topic].partitions
    ]
    ends = partition_offsets(client, partitions, OffsetSpec.latest())
    at = OffsetSpec.for_timestamp(int(since.timestamp() * 1_000))
    firsts = partition_offsets(client, partitions, at)
    return [
        DeadLetterCount(
            topic,
            sum(ends[it] - first for it, first in firsts.items() if it[0] == topic and first >= 0),
        )
        for topic in DEAD_LETTER_TOPICS
    ]
