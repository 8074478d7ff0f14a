"""Consumer groups sent back to the beginning of what they read, while nobody is in them."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import ConsumerGroupState, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from support.wait import until


def rewind(kafka: str, reads: Iterable[tuple[str, str]]) -> None:
    """Set the offsets of each (group, topic) to 0, once the group's last member is forgotten."""
    admin = AdminClient({"bootstrap.servers": kafka})
    topics = admin.list_topics(timeout=10).topics
    places: dict[str, list[TopicPartition]] = {}
    for group, topic in reads:
        for partition in topics[topic].partitions:
            places.setdefault(group, []).append(TopicPartition(topic, partition, 0))
    for group, to in places.items():
        until(lambda group=group: _empty(admin, group), seconds=60, of=group)  # type: ignore[misc]
        asked = [ConsumerGroupTopicPartitions(group, to)]
        done = admin.alter_consumer_group_offsets(asked)[group].result()
        assert all(it.error is None for it in done.topic_partitions), done.topic_partitions


def _empty(admin: AdminClient, group: str) -> bool:
    found = admin.describe_consumer_groups([group])[group].result()
    return bool(found.state == ConsumerGroupState.EMPTY)
