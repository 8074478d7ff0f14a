"""A sink says that records are published when the broker has them all: in memory and in Kafka."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pytest
from confluent_kafka import KafkaException

from order_contracts.topics import Topic
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.publisher import BatchPublisher
from order_runtime.kafka.records import Outgoing
from order_writer.app.ports import EventSink
from support.fakes.memory_kafka import MemorySink, limits_with
from support.faults.tcp_proxy import TcpProxy
from support.stack.kafka_records import read_all
from support.stack.running_stack import RunningStack
from support.stack.wait import until

ENOUGH = 20.0  # seconds for what a broker that is there acknowledges
SHORT = 0.3  # seconds, for what isn't acknowledged
MARGIN = 3.0  # seconds by which a bounded wait may be late on a busy machine


class Broker(Protocol):
    """A broker that a sink publishes to, and the way to it."""

    @property
    def topic(self) -> Topic: ...
    @property
    def sink(self) -> EventSink: ...
    def stored(self) -> list[Outgoing]:
        """Return what the topic holds, each partition in order."""
        ...

    def cut_off(self) -> None:
        """Let nothing more reach the broker."""
        ...

    def reconnect(self) -> None: ...


@dataclass(frozen=True)
class MemoryBroker:
    topic: Topic
    sink: MemorySink

    def stored(self) -> list[Outgoing]:
        return self.sink.published

    def cut_off(self) -> None:
        self.sink.away = 1_000_000

    def reconnect(self) -> None:
        self.sink.away = 0


@dataclass(frozen=True)
class KafkaBroker:
    topic: Topic
    sink: BatchPublisher
    stack: RunningStack
    proxy: TcpProxy

    def stored(self) -> list[Outgoing]:
        return [
            Outgoing(it.topic(), it.key(), it.value(), tuple(it.headers() or ()))
            for it in read_all(self.stack.kafka, self.topic.name)
        ]

    def cut_off(self) -> None:
        self.proxy.block()

    def reconnect(self) -> None:
        self.proxy.unblock()


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.stack)])
def broker(request: pytest.FixtureRequest, topic: Topic) -> Iterator[Broker]:
    if request.param == "memory":
        yield MemoryBroker(topic, MemorySink(limits=limits_with(topic)))
        return
    stack: RunningStack = request.getfixturevalue("stack")
    request.getfixturevalue("real_topic")
    with TcpProxy(stack.kafka.servers) as proxy:
        sink = BatchPublisher(KafkaAddress(proxy.rewritten(stack.kafka.servers)), "conformance")
        yield KafkaBroker(topic, sink, stack, proxy)


def records(broker: Broker, count: int, key: bytes | None = b"o-1") -> list[Outgoing]:
    return [Outgoing(broker.topic.name, key, b"%d" % number) for number in range(count)]


def too_large(broker: Broker) -> Outgoing:
    value = b"x" * (broker.topic.max_message_bytes + 1)
    return Outgoing(broker.topic.name, b"o-1", value)


def test_what_is_acknowledged_is_stored_as_it_was_given(broker: Broker) -> None:
    """Absent values, too, and headers in their order."""
    headers = (("b", b"1"), ("a", b"\xff"), ("none", None), ("b", b"2"))
    given = [
        Outgoing(broker.topic.name, b"o-1", b"{}", headers),
        Outgoing(broker.topic.name, b"o-1", None),
    ]
    assert broker.sink.publish_all(given, ENOUGH)
    assert broker.stored() == given


def test_records_of_one_key_are_stored_in_their_order(broker: Broker) -> None:
    given = records(broker, 500)
    assert broker.sink.publish_all(given[:250], ENOUGH)
    assert broker.sink.publish_all(given[250:], ENOUGH)
    assert broker.stored() == given


def test_of_nothing_everything_is_acknowledged(broker: Broker) -> None:
    assert broker.sink.publish_all([], SHORT)
    assert broker.sink.flushed(SHORT)


def test_what_the_broker_has_not_acknowledged_in_time_is_not_published_yet(
    broker: Broker,
) -> None:
    """The answer comes in time: its caller has to poll its consumer."""
    assert broker.sink.publish_all(records(broker, 1), ENOUGH)
    broker.cut_off()
    began = time.monotonic()
    assert broker.sink.publish_all(records(broker, 3), SHORT) is False
    assert broker.sink.flushed(SHORT) is False
    assert time.monotonic() - began < 2 * SHORT + MARGIN
    assert broker.stored() == records(broker, 1)
    broker.reconnect()


def test_when_the_broker_is_back_everything_is_stored_once_and_in_order(broker: Broker) -> None:
    """Nobody has to publish it again."""
    assert broker.sink.publish_all(records(broker, 1), ENOUGH)
    broker.cut_off()
    given = records(broker, 50)
    assert not broker.sink.publish_all(given, SHORT)
    broker.reconnect()
    until(lambda: broker.sink.flushed(1.0), seconds=60, of="the acknowledgements")
    assert broker.stored() == records(broker, 1) + given


def test_a_record_that_the_broker_refuses_is_an_error_and_the_others_are_stored(
    broker: Broker,
) -> None:
    """Nothing is committed then: a later record isn't taken for the whole batch."""
    before, after = records(broker, 2)
    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        broker.sink.publish_all([before, too_large(broker), after], ENOUGH)
    with pytest.raises(KafkaException):
        broker.sink.flushed(ENOUGH)
    assert broker.stored() == [before, after]


def test_a_refusal_is_forgotten_with_the_next_batch(broker: Broker) -> None:
    with pytest.raises(KafkaException):
        broker.sink.publish_all([too_large(broker)], ENOUGH)
    assert broker.sink.publish_all(records(broker, 1), ENOUGH)


def test_a_topic_that_does_not_exist_is_an_error(broker: Broker) -> None:
    with pytest.raises(KafkaException, match="UNKNOWN_TOPIC"):
        broker.sink.publish_all([Outgoing("conformance-of-nobody", b"k", b"v")], ENOUGH)
