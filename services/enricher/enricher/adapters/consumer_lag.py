"""Whether the enricher has handled all that was published before a certain time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from order_contracts.topics import ENRICHER, Topic

TIMEOUT: Final = 10.0  # seconds

Offsets = Mapping[tuple[str, int], int]


def caught_up(kafka: str, topics: Sequence[Topic], since: datetime) -> bool:
    """
    Return whether every record from before *since* is handled and committed.

    Traffic goes on, so there is always some lag; this asks for its age. False where Kafka gives
    no answer. Blocks.
    """
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    try:
        places = _places(admin, topics)
        ends = _offsets(admin, places, OffsetSpec.latest())
        later = _offsets(admin, places, OffsetSpec.for_timestamp(_milliseconds(since)))
        return is_past(_committed(admin, places), later, ends)
    except (KafkaException, TimeoutError):
        return False


def is_past(committed: Offsets, later: Offsets, ends: Offsets) -> bool:
    """
    Return whether each partition is committed up to its first record that is *later*.

    That is -1 where none is: then up to its end. Nothing committed is a negative offset, and
    enough for a partition that never had a record.
    """
    return all(
        max(0, committed.get(place, -1)) >= (end if later[place] < 0 else later[place])
        for place, end in ends.items()
    )


def _places(admin: AdminClient, topics: Sequence[Topic]) -> list[TopicPartition]:
    known = admin.list_topics(timeout=TIMEOUT).topics
    return [
        TopicPartition(topic.name, number)
        for topic in topics
        for number in known[topic.name].partitions
    ]


def _offsets(admin: AdminClient, places: list[TopicPartition], spec: OffsetSpec) -> Offsets:
    asked = admin.list_offsets(dict.fromkeys(places, spec), request_timeout=TIMEOUT)
    return {(it.topic, it.partition): future.result().offset for it, future in asked.items()}


def _committed(admin: AdminClient, places: list[TopicPartition]) -> Offsets:
    group = ConsumerGroupTopicPartitions(ENRICHER, places)
    [future] = admin.list_consumer_group_offsets([group], request_timeout=TIMEOUT).values()
    return {(it.topic, it.partition): it.offset for it in future.result().topic_partitions}


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
