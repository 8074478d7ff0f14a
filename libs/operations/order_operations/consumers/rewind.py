"""A group's offsets of one topic set back to a time, so that its records are read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from order_contracts.topics import TOPICS
from order_operations.connections.kafka_client import SILENCE_SECONDS, admin_client, unavailable
from order_operations.consumers.drained_groups import require_no_members
from order_operations.consumers.progress import GROUPS, partition_offsets
from order_operations.problems import OperationFailed
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.offsets import committed_offsets


@dataclass(frozen=True, slots=True)
class Rewound:
    """A partition in which a group reads again, from `next` up to `kafka`, where it was."""

    group: str
    topic: str
    partition: int
    kafka: int
    next: int


def rewind_offsets(
    kafka: KafkaAddress, group: str, topic: str, since: datetime | None
) -> list[Rewound]:
    """
    Set *group* back to the first records from *since* on, None for all; return what was set.

    It is never set forward. Raises OperationFailed where the group has members, doesn't read the
    topic, or Kafka doesn't answer.
    """
    if not any(it.name == topic and group in it.readers & GROUPS for it in TOPICS):
        raise OperationFailed(f"The group {group} reads no topic {topic}.")
    client = admin_client(kafka)
    try:
        partitions = client.list_topics(topic, timeout=SILENCE_SECONDS).topics[topic].partitions
        places = [TopicPartition(topic, number) for number in partitions]
        first = partition_offsets(client, places, _at(since))
        committed = committed_offsets(kafka, group, first)
        found = rewound(group, committed, first)
        require_no_members(client, [group])
        _set(client, group, found)
    except KafkaException as error:
        raise unavailable(kafka) from error
    return found


def rewound(
    group: str, committed: Mapping[tuple[str, int], int], first: Mapping[tuple[str, int], int]
) -> list[Rewound]:
    """Return where *committed* is past the *first* record wanted, which is -1 for none. Pure."""
    return [
        Rewound(group, *place, at, first[place])
        for place, at in sorted(committed.items())
        if 0 <= first[place] < at
    ]


def _at(since: datetime | None) -> OffsetSpec:
    if since is None:
        return OffsetSpec.earliest()
    return OffsetSpec.for_timestamp(int(since.timestamp() * 1000))


def _set(client: AdminClient, group: str, found: Sequence[Rewound]) -> None:
    if not found:
        return
    wanted = [TopicPartition(it.topic, it.partition, it.next) for it in found]
    request = [ConsumerGroupTopicPartitions(group, wanted)]
    answer = client.alter_consumer_group_offsets(request)[group].result(SILENCE_SECONDS)
    for place in answer.topic_partitions:
        if place.error is not None:
            raise KafkaException(place.error)
