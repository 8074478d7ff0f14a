"""Whether a service has handled every record that was published before a given time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from order_contracts.topics import Topic
from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from order_runtime.kafka.offsets import committed_offsets

TIMEOUT: Final = 10.0  # seconds

Offsets = Mapping[tuple[str, int], int]


def caught_up(kafka: KafkaAddress, group: str, topics: Sequence[Topic], since: datetime) -> bool:
    """
    Return whether a *group* has handled and committed every record from before *since*.

    With traffic there is always some lag; this asks for its age. False if Kafka does not answer.
    Blocks.
    """
    admin = AdminClient(librdkafka_config(kafka) | {"log_level": 0})
    try:
        partitions = _partitions(admin, topics)
        ends = _offsets(admin, partitions, OffsetSpec.latest())
        later = _offsets(admin, partitions, OffsetSpec.for_timestamp(_milliseconds(since)))
        return is_past(committed_offsets(kafka, group, ends), later, ends)
    except (KafkaException, TimeoutError):
        return False


def is_past(committed: Offsets, later: Offsets, ends: Offsets) -> bool:
    """
    Return whether each partition is committed up to its first record that is *later*.

    *later* is -1 where there is none: then up to the partition's end. Where nothing was committed
    that suffices for a partition that never had a record.
    """
    return all(
        committed.get(partition, 0) >= (end if later[partition] < 0 else later[partition])
        for partition, end in ends.items()
    )


def _partitions(admin: AdminClient, topics: Sequence[Topic]) -> list[TopicPartition]:
    metadata = admin.list_topics(timeout=TIMEOUT).topics
    return [
        TopicPartition(topic.name, number)
        for topic in topics
        for number in metadata[topic.name].partitions
    ]


def _offsets(admin: AdminClient, partitions: list[TopicPartition], spec: OffsetSpec) -> Offsets:
    offsets = admin.list_offsets(dict.fromkeys(partitions, spec), request_timeout=TIMEOUT)
    return {(it.topic, it.partition): future.result().offset for it, future in offsets.items()}


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
