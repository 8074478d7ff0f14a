"""Stored offsets on the real databases: how they begin, rise, and tell of a restore."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import NewTopic
from pymongo import AsyncMongoClient

from order_contracts.topics import ACTIONS, DEFAULT_PARTITIONS, TRIGGER
from order_operations.connections.kafka_client import admin_client
from order_runtime.documents.consumer_offsets import GroupOffsets
from order_runtime.kafka.address import librdkafka_config
from order_runtime.kafka.offsets import holds_records
from order_runtime.kafka.records import Record
from order_runtime.mongo import stored_offsets
from order_runtime.mongo.client import (
    ACTION_DELIVERIES,
    CONSUMER_OFFSETS,
    Document,
    async_client,
    client,
)
from order_runtime.mongo.stored_offsets import StoredOffsets
from order_runtime.process.errors import DatabaseBehind
from order_runtime.startup.preflight import check_topics
from order_runtime.startup.stored_offsets import (
    begin_stored_offsets,
    group_of,
    require_stored_offsets,
)
from support.builders.actions import action_record, order_action
from support.builders.bodies import unique
from support.builders.commands import raw_record
from support.stack.consumer_groups import committed_offset, end_offsets, lag
from support.stack.kafka_records import publish_outgoing
from support.stack.running_stack import RunningStack
from support.stack.wait import until

GROUP = GroupOffsets("enricher", {"orders.events": "topic-1"})
PLACE = ("orders.events", 3)
SECONDS = 30.0


@pytest.fixture
def database(stack: RunningStack) -> Iterator[str]:
    name = unique("offsets")
    yield name
    with client(stack.mongo, "test") as mongo:
        mongo.drop_database(name)


@pytest.fixture
async def mongo(stack: RunningStack) -> AsyncIterator[AsyncMongoClient[Document]]:
    async with async_client(stack.mongo, "test") as connected:
        yield connected


@pytest.fixture
def topic(stack: RunningStack) -> str:
    """A topic of one partition that nobody else knows."""
    admin, name = admin_client(stack.kafka), unique("offsets")
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(SECONDS)
    return name


def event(offset: int) -> Record:
    return replace(raw_record(b"{}", offset=offset, partition=PLACE[1]), topic=PLACE[0])


async def stored(
    mongo: AsyncMongoClient[Document], database: str, next_offset: int
) -> StoredOffsets:
    """Return the stored offsets of a service that begins with *next_offset*."""
    document = {"_id": "enricher/orders.events/3", "topicId": "topic-1", "next": next_offset}
    await mongo[database][CONSUMER_OFFSETS].insert_one(document)
    return StoredOffsets(mongo, database, GROUP, {PLACE: next_offset})


async def test_what_is_stored_rises_with_what_was_done_and_never_falls(
    mongo: AsyncMongoClient[Document], database: str
) -> None:
    offsets = await stored(mongo, database, 4)
    await offsets.advance([event(4), event(5)])
    await offsets.advance([event(4)])  # read again, after a rebalance
    found = await mongo[database][CONSUMER_OFFSETS].find_one()
    assert found is not None
    assert found["next"] == 6


async def test_a_batch_on_a_restored_database_is_not_acknowledged(
    mongo: AsyncMongoClient[Document], database: str
) -> None:
    offsets = await stored(mongo, database, 4)
    await offsets.advance([event(4), event(5)])
    await mongo[database][CONSUMER_OFFSETS].update_one({}, {"$set": {"next": 4}})
    with pytest.raises(DatabaseBehind, match=r"orders\.events 3 \(MongoDB: 4, read before: 7\)"):
        await offsets.advance([event(6)])


async def test_a_restore_is_noticed_though_no_record_comes(
    mongo: AsyncMongoClient[Document], database: str
) -> None:
    offsets = await stored(mongo, database, 4)
    async with asyncio.timeout(4 * stored_offsets.WATCH_SECONDS):
        watching = asyncio.create_task(offsets.watch(asyncio.Event()))
        await mongo[database][CONSUMER_OFFSETS].delete_many({})
        with pytest.raises(DatabaseBehind):
            await watching


def test_a_group_begins_with_what_is_committed_and_in_an_empty_database_with_the_log(
    stack: RunningStack, database: str
) -> None:
    """The one is an upgrade; the other a database that was lost: what the log has is read again."""
    publish_outgoing(stack.kafka, [action_record(order_action()) for _ in range(20)])
    until(lambda: not lag(stack.kafka, TRIGGER, ACTIONS.name), seconds=SECONDS)
    committed = {
        (ACTIONS.name, it): committed_offset(stack.kafka, TRIGGER, ACTIONS.name, it)
        for it in end_offsets(stack, ACTIONS.name)
    }
    group = group_of(TRIGGER, check_topics(stack.kafka, TRIGGER, DEFAULT_PARTITIONS))
    address = (stack.kafka, stack.mongo, database, group, threading.Event())

    empty, _ = begin_stored_offsets(*address)

    assert empty == dict.fromkeys(committed, 0)
    with pytest.raises(DatabaseBehind):
        require_stored_offsets(*address)
    with client(stack.mongo, "test") as mongo:
        mongo[database][CONSUMER_OFFSETS].drop()
        mongo[database][ACTION_DELIVERIES].insert_one({})
    assert require_stored_offsets(*address) == committed


@pytest.mark.parametrize("end", [Producer.commit_transaction, Producer.abort_transaction])
def test_offsets_without_a_record_are_not_taken_for_records(
    stack: RunningStack, topic: str, end: Callable[[Producer, float], None]
) -> None:
    """Of an aborted transaction nothing is delivered, and its end is no record."""
    producer = Producer({**librdkafka_config(stack.kafka), "transactional.id": unique("import")})
    producer.init_transactions(SECONDS)
    producer.begin_transaction()
    producer.produce(topic, b"1")
    producer.flush(SECONDS)
    end(producer, SECONDS)

    committed = end is Producer.commit_transaction
    assert holds_records(stack.kafka, TRIGGER, (topic, 0), 0, 2) is committed
    assert holds_records(stack.kafka, TRIGGER, (topic, 0), 1, 2) is False


def test_a_partition_that_is_assigned_again_has_no_position_before_it_gives_a_record(
    stack: RunningStack, topic: str
) -> None:
    """The order-writer stores positions: that of before would skip what lies between."""
    producer = Producer(librdkafka_config(stack.kafka))
    for _ in range(3):
        producer.produce(topic, b"1")
    assert producer.flush(SECONDS) == 0
    config = {**librdkafka_config(stack.kafka), "group.id": topic, "enable.auto.commit": False}
    consumer = Consumer(config | {"auto.offset.reset": "error"})
    place = TopicPartition(topic, 0)

    consumer.incremental_assign([TopicPartition(topic, 0, 0)])
    assert [consumer.poll(SECONDS).offset() for _ in range(3)] == [0, 1, 2]
    assert consumer.position([place])[0].offset == 3
    consumer.incremental_unassign([place])
    consumer.incremental_assign([TopicPartition(topic, 0, 1)])
    assert consumer.position([place])[0].offset < 0
    assert consumer.poll(SECONDS).offset() == 1
    consumer.seek(TopicPartition(topic, 0, 0))
    assert consumer.position([place])[0].offset < 0
    consumer.close()
