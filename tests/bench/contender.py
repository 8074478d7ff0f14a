"""What a stage measures: a contender, and how one that drains a topic is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

import psutil
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import OffsetSpec

from bench.cpu import CpuMeter
from bench.environment import Environment
from bench.measurements import RATE, Round, per_item
from order_operations.connections.kafka_client import admin_client
from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from support.stack.wait import until

OURS: Final = "ordermill"
DRAIN_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Contender:
    """A name, and how to measure one round."""

    name: str
    measure: Callable[[], Round]


@dataclass(frozen=True, slots=True)
class Stage:
    """Some contenders that do the same work; of ours, *services* do it."""

    name: str
    what: str
    services: Sequence[str]
    contenders: Callable[[Environment], AbstractContextManager[Sequence[Contender]]]


@dataclass(frozen=True, slots=True)
class Drain:
    """
    Measures a consumer that works off what was published while it was stopped.

    *progress* returns how many items it has handled since it exists, each with all effects.
    """

    name: str
    consumer: psutil.Process
    meter: CpuMeter
    publish: Callable[[int], None]
    progress: Callable[[], int]
    count: int

    def measure(self) -> Round:
        wanted = self.progress() + self.count
        self.consumer.suspend()
        try:
            self.publish(self.count)
            self.meter.start()
            began = time.monotonic()
        finally:
            self.consumer.resume()
        until(lambda: self.progress() >= wanted, seconds=DRAIN_SECONDS, of=f"{self.name} is done")
        seconds = time.monotonic() - began
        return Round(
            self.name, {RATE: self.count / seconds, **per_item(self.meter.spent(), self.count)}
        )

    def contender(self) -> Contender:
        """Return it as a contender, once it is warm and its idle CPU is known."""
        self.measure()
        self.meter.measure_idle()
        return Contender(self.name, self.measure)


def ended(kafka: KafkaAddress, topic: str) -> Callable[[], int]:
    """Return what returns how many records *topic* ever had."""
    admin = admin_client(kafka)
    partitions = admin.list_topics(topic, timeout=10).topics[topic].partitions
    asked = {TopicPartition(topic, at): OffsetSpec.latest() for at in partitions}
    return lambda: sum(it.result(10).offset for it in admin.list_offsets(asked).values())


@contextmanager
def committed(kafka: KafkaAddress, group: str, topic: str) -> Iterator[Callable[[], int]]:
    """Yield what returns how many records of *topic* the group has committed."""
    consumer = Consumer({**librdkafka_config(kafka), "group.id": group, "log_level": 0})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    asked = [TopicPartition(topic, at) for at in partitions]
    try:
        yield lambda: sum(max(it.offset, 0) for it in consumer.committed(asked, timeout=10))
    finally:
        consumer.close()
