"""A publisher returns when the broker has the records: in memory and in Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

import pytest

from order_contracts.topics import Topic
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.publisher import OutcomeUnknown, Publisher, RecordTooLarge
from order_runtime.kafka.records import Outgoing
from support.fakes.memory_kafka import MemoryPublisher, limits_with
from support.faults.tcp_proxy import TcpProxy
from support.stack.kafka_records import read_all
from support.stack.running_stack import RunningStack

ENOUGH = 30.0  # seconds for what a broker that is there acknowledges
SHORT = 0.5  # seconds, for what isn't acknowledged


class RecordPublisher(Protocol):
    """What the enricher and the action-trigger publish with."""

    async def publish(self, record: Outgoing) -> None: ...
    async def publish_all(self, records: list[Outgoing]) -> None: ...


class Broker(Protocol):
    """A broker that is published to, and the way to it."""

    @property
    def topic(self) -> Topic: ...
    @property
    def publisher(self) -> RecordPublisher: ...
    async def stored(self) -> list[Outgoing]:
        """Return what the topic holds, each partition in order."""
        ...

    def cut_off(self) -> None:
        """Let nothing more reach the broker."""
        ...

    def reconnect(self) -> None: ...


@dataclass(frozen=True)
class MemoryBroker:
    topic: Topic
    publisher: MemoryPublisher

    async def stored(self) -> list[Outgoing]:
        return self.publisher.records

    def cut_off(self) -> None:
        self.publisher.reachable.clear()

    def reconnect(self) -> None:
        self.publisher.reachable.set()


@dataclass(frozen=True)
class KafkaBroker:
    topic: Topic
    publisher: Publisher
    stack: RunningStack
    proxy: TcpProxy

    async def stored(self) -> list[Outgoing]:
        found = await asyncio.to_thread(read_all, self.stack.kafka, self.topic.name)
        return [
            Outgoing(it.topic(), it.key(), it.value(), tuple(it.headers() or ())) for it in found
        ]

    def cut_off(self) -> None:
        self.proxy.block()

    def reconnect(self) -> None:
        self.proxy.unblock()


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.stack)])
def way(request: pytest.FixtureRequest) -> RunningStack | None:
    """Give the stack for the real half, whose topic is there then; None for the fake."""
    if request.param == "memory":
        return None
    request.getfixturevalue("real_topic")
    stack: RunningStack = request.getfixturevalue("stack")
    return stack


@pytest.fixture
async def broker(way: RunningStack | None, topic: Topic) -> AsyncIterator[Broker]:
    if way is None:
        yield MemoryBroker(topic, MemoryPublisher(limits=limits_with(topic)))
        return
    with TcpProxy(way.kafka.servers) as proxy:
        address = KafkaAddress(proxy.rewritten(way.kafka.servers))
        async with Publisher(address, "conformance") as publisher:
            yield KafkaBroker(topic, publisher, way, proxy)


def records(broker: Broker, count: int) -> list[Outgoing]:
    return [Outgoing(broker.topic.name, b"o-1", b"%d" % number) for number in range(count)]


def too_large(broker: Broker) -> Outgoing:
    value = b"x" * (broker.topic.max_message_bytes + 1)
    return Outgoing(broker.topic.name, b"o-1", value)


async def test_what_is_published_is_stored_as_it_was_given(broker: Broker) -> None:
    headers = (("b", b"1"), ("a", b"\xff"), ("none", None), ("b", b"2"))
    one = Outgoing(broker.topic.name, b"o-1", b"{}", headers)
    other = Outgoing(broker.topic.name, b"o-1", None)
    async with asyncio.timeout(ENOUGH):
        await broker.publisher.publish(one)
        await broker.publisher.publish(other)
    assert await broker.stored() == [one, other]


async def test_records_of_one_key_are_stored_in_their_order(broker: Broker) -> None:
    """Also those that are published before the ones before them are acknowledged."""
    given = records(broker, 500)
    async with asyncio.timeout(ENOUGH):
        await asyncio.gather(
            broker.publisher.publish_all(given[:250]), broker.publisher.publish_all(given[250:])
        )
    assert await broker.stored() == given


async def test_to_publish_nothing_waits_for_nothing(broker: Broker) -> None:
    async with asyncio.timeout(ENOUGH):
        await broker.publisher.publish_all([])
    assert await broker.stored() == []


async def test_who_publishes_waits_while_the_broker_is_away(broker: Broker) -> None:
    """And then finds everything stored once, in order."""
    async with asyncio.timeout(ENOUGH):
        await broker.publisher.publish_all(records(broker, 1))
    broker.cut_off()
    waiting = asyncio.create_task(broker.publisher.publish_all(records(broker, 50)))
    await asyncio.wait([waiting], timeout=SHORT)
    assert not waiting.done()
    assert await broker.stored() == records(broker, 1)
    broker.reconnect()
    async with asyncio.timeout(ENOUGH):
        await waiting
    assert await broker.stored() == records(broker, 1) + records(broker, 50)


async def test_a_record_that_is_too_large_is_an_error_and_the_others_are_stored(
    broker: Broker,
) -> None:
    before, after = records(broker, 2)
    async with asyncio.timeout(ENOUGH):
        with pytest.raises(RecordTooLarge):
            await broker.publisher.publish_all([before, too_large(broker), after])
        await broker.publisher.publish(before)
    assert await broker.stored() == [before, after, before]


async def test_a_topic_that_does_not_exist_is_an_error(broker: Broker) -> None:
    async with asyncio.timeout(ENOUGH):
        with pytest.raises(OutcomeUnknown):
            await broker.publisher.publish(Outgoing("conformance-of-nobody", b"k", b"v"))
