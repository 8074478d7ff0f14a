"""All consumer groups reset to offset 0: what was handled is handled again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from support.history import READS
from support.scene import SECONDS, SERVICES, Scene
from support.wait import until

CONSUMERS = tuple(f"{service}-{number}" for service in SERVICES[1:] for number in (1, 2))


@contextmanager
def rewound(scene: Scene) -> Iterator[None]:
    """Stop all consumers, and set their groups to the beginning; start them in the end."""
    scene.kill(*CONSUMERS, signal="TERM")
    admin = AdminClient({"bootstrap.servers": scene.stack.kafka, "log_level": 0})
    for group, topic in READS:
        partitions = admin.list_topics(topic, timeout=30).topics[topic].partitions
        start = [TopicPartition(topic, at, 0) for at in partitions]
        wish = ConsumerGroupTopicPartitions(group, start)
        # A member that left without a word keeps its place until its session ends.
        until(partial(_set, admin, wish), seconds=SECONDS, of=f"{group} without members")
    yield
    scene.start(*CONSUMERS)


def _set(admin: AdminClient, wish: ConsumerGroupTopicPartitions) -> bool:
    try:
        done = admin.alter_consumer_group_offsets([wish])[wish.group_id].result(30)
    except KafkaException:
        return False
    return all(it.error is None for it in done.topic_partitions)
