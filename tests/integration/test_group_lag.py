"""How far a group is behind: records count, and what a transaction leaves in the log doesn't."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from order_operations.connections.kafka_client import admin_client
from order_runtime.kafka.address import librdkafka_config
from order_runtime.observability.group_lag import GroupLag, TopicLag
from support.builders.bodies import unique
from support.builders.raw_records import RawRecord
from support.faults.tcp_proxy import TcpProxy
from support.stack.kafka_records import publish_records
from support.stack.running_stack import RunningStack
from support.stack.wait import until

NONE = TopicLag(0, 0.0)
LARGE = 300_000  # bytes


@pytest.fixture
def topic(stack: RunningStack) -> Iterator[str]:
    """A topic of one partition with three records."""
    admin, name = admin_client(stack.kafka), unique("lag")
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
    publish_records(stack.kafka, [RawRecord("key", b"{}", {})] * 3, topic=name)
    yield name
    admin.delete_topics([name])[name].result(30)


def measured(stack: RunningStack, topic: str) -> TopicLag:
    """Measure the group that has the topic's name."""
    with closing(GroupLag(stack.kafka, topic, [topic], print)) as lag:
        return lag.measure()[topic]


def commit(stack: RunningStack, topic: str, offset: int) -> None:
    admin = admin_client(stack.kafka)  # referenced until the result is here
    wish = ConsumerGroupTopicPartitions(topic, [TopicPartition(topic, 0, offset)])
    admin.alter_consumer_group_offsets([wish])[topic].result(30)


def transaction(stack: RunningStack, topic: str, *, committed: bool) -> None:
    """Publish two records; with the marker the log has three offsets more."""
    producer = Producer({**librdkafka_config(stack.kafka), "transactional.id": unique("import")})
    producer.init_transactions(30)
    producer.begin_transaction()
    for _ in range(2):
        producer.produce(topic, b"{}")
    assert producer.flush(30) == 0
    (producer.commit_transaction if committed else producer.abort_transaction)(30)


def test_a_group_without_offsets_is_behind_by_all_records(stack: RunningStack, topic: str) -> None:
    lag = measured(stack, topic)
    assert lag.records == 3
    assert 0 <= lag.seconds < 60


def test_a_group_that_begins_within_a_batch_is_behind_by_the_rest(
    stack: RunningStack, topic: str
) -> None:
    commit(stack, topic, 2)
    assert measured(stack, topic).records == 1
    commit(stack, topic, 3)
    assert measured(stack, topic) == NONE


def test_a_marker_is_no_record(stack: RunningStack, topic: str) -> None:
    commit(stack, topic, 3)
    transaction(stack, topic, committed=True)
    # Kafka answers a commit before it has written the marker.
    assert until(lambda: measured(stack, topic).records > 0, of="the committed records")
    commit(stack, topic, 5)
    assert measured(stack, topic) == NONE


def test_what_was_aborted_is_no_record(stack: RunningStack, topic: str) -> None:
    commit(stack, topic, 3)
    transaction(stack, topic, committed=False)
    assert measured(stack, topic) == NONE
    publish_records(stack.kafka, [RawRecord("key", b"{}", {})], topic=topic)
    assert until(lambda: measured(stack, topic).records, of="the record after the marker") == 1


def test_while_a_group_stands_still_no_batch_is_fetched_twice(
    stack: RunningStack, topic: str
) -> None:
    commit(stack, topic, 3)
    large = json.dumps({"filler": "x" * LARGE}).encode()
    publish_records(stack.kafka, [RawRecord("key", large, {})] * 2, topic=topic)
    with TcpProxy(stack.kafka.servers) as kafka:
        through = replace(stack.kafka, servers=kafka.rewritten(stack.kafka.servers))
        with closing(GroupLag(through, topic, [topic], print)) as lag:
            first = lag.measure()[topic]
            fetched = kafka.answered_bytes
            second = lag.measure()[topic]
            assert fetched > LARGE
            assert kafka.answered_bytes - fetched < LARGE
            assert (first.records, second.records) == (2, 2)
            assert second.seconds >= first.seconds
            commit(stack, topic, 5)
            assert lag.measure()[topic] == NONE
