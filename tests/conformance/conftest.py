"""What the real half of the suites runs on: topics and consumers of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from order_contracts.topics import MIB, WRITER, Topic
from order_operations.connections.kafka_client import admin_client
from support.builders.bodies import unique
from support.stack.running_stack import RunningStack
from support.stack.wait import until


@pytest.fixture
def topic() -> Topic:
    """Give a topic that nobody else knows."""
    nobody = frozenset[str]()
    return Topic(unique("conformance"), nobody, nobody, max_message_bytes=4 * MIB, partitions=3)


@pytest.fixture
def real_topic(stack: RunningStack, topic: Topic) -> Iterator[Topic]:
    """Create that topic on the real Kafka, and delete it after the test."""
    admin = admin_client(stack.kafka)
    new = NewTopic(topic.name, topic.partitions, -1, config=dict(topic.config))
    admin.create_topics([new])[topic.name].result(30)
    until(lambda: _is_led(admin, topic), of="a leader for each partition")
    yield topic
    admin.delete_topics([topic.name])[topic.name].result(30)


def _is_led(admin: AdminClient, topic: Topic) -> bool:
    found = admin.list_topics(topic.name, timeout=30).topics[topic.name].partitions
    return len(found) == topic.partitions and all(it.leader >= 0 for it in found.values())


@pytest.fixture(scope="module")
def without_writer(stack: RunningStack) -> Iterator[RunningStack]:
    """Give the stack while its order-writer is stopped, whose consumer group is free then."""
    stack.kill(WRITER, "TERM")
    yield stack
    stack.start(WRITER)
