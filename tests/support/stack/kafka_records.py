"""Publishes and reads records on Kafka, as external systems do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import uuid4

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from order_contracts.topics import TOPICS
from order_operations.connections.kafka_client import admin_client
from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from order_runtime.kafka.batch_lookup import UNDECODABLE, stored_batch
from order_runtime.kafka.publisher import BatchPublisher
from order_runtime.kafka.records import Outgoing
from support.builders.bodies import Json, unique
from support.builders.raw_records import COMMANDS_TOPIC, RawRecord
from support.stack.wait import until

_OWN_COMPRESSION = {
    it.name: it.config["compression.type"] for it in TOPICS if "compression.type" in it.config
}


def publish_records(
    kafka: KafkaAddress,
    records: Iterable[RawRecord],
    *,
    topic: str = COMMANDS_TOPIC,
    partition: int = -1,
    **settings: Any,
) -> list[tuple[int, int]]:
    """Publish in order; return partition and offset of each record."""
    config = {**librdkafka_config(kafka), "partitioner": "murmur2_random"}
    producer = Producer(config | settings)
    positions: dict[int, tuple[int, int]] = {}

    def deliver(at: int, error: Any, message: Message) -> None:
        assert error is None, error
        positions[at] = (message.partition(), message.offset())

    for at, record in enumerate(records):
        producer.produce(
            topic,
            key=record.key,
            value=record.value,
            headers=list(record.pairs),
            partition=partition if record.partition < 0 else record.partition,
            on_delivery=partial(deliver, at),
        )
    assert producer.flush(30) == 0
    return [positions[at] for at in sorted(positions)]


@contextmanager
def stored_as_sent(kafka: KafkaAddress, topic: str = COMMANDS_TOPIC) -> Iterator[None]:
    """Let *topic* keep what comes compressed as it is, as a cluster that was set up otherwise."""
    _set_compression(kafka, topic, "producer")
    try:
        yield
    finally:
        _set_compression(kafka, topic, _OWN_COMPRESSION.get(topic, "producer"))


def _set_compression(kafka: KafkaAddress, topic: str, kind: str) -> None:
    entry = ConfigEntry("compression.type", kind, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    admin = admin_client(kafka)
    admin.incremental_alter_configs([resource])[resource].result(10)
    plain = ConfigResource(ConfigResource.Type.TOPIC, topic)
    until(
        lambda: admin.describe_configs([plain])[plain].result(10)["compression.type"].value == kind,
        of=f"{topic} has compression.type {kind}",
    )


def read_all(kafka: KafkaAddress, *topics: str, seconds: float = 30) -> list[Message]:
    """Return the records of the topics, up to their present end offsets, that can be read."""
    consumer = Consumer(
        {
            **librdkafka_config(kafka),
            "group.id": f"test-{uuid4()}",
            "enable.auto.commit": False,
            # Offsets don't tell the end: a compacted topic has fewer records.
            "enable.partition.eof": True,
        }
    )
    try:
        known = consumer.list_topics(timeout=10).topics
        open_ones = {(topic, at) for topic in topics for at in known[topic].partitions}
        consumer.assign([TopicPartition(*position, OFFSET_BEGINNING) for position in open_ones])
        found: list[Message] = []
        end = time.monotonic() + seconds
        while open_ones:
            assert time.monotonic() < end, f"not read within {seconds} s: {open_ones}"
            batch = consumer.consume(1_000, timeout=0.1)
            found.extend(message for message in batch if message.error() is None)
            for place in {_behind(kafka, it) for it in batch if _is_undecodable(it)}:
                consumer.seek(TopicPartition(*place))
            open_ones -= {(it.topic(), it.partition()) for it in batch if _is_end(it)}
        return found
    finally:
        consumer.close()


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001


def _is_undecodable(it: Message) -> bool:
    error = it.error()
    return error is not None and error.code() in UNDECODABLE


def _behind(kafka: KafkaAddress, report: Message) -> tuple[str, int, int]:
    """Return topic, partition and offset behind a batch that can't be decompressed."""
    topic, partition, offset = report.topic(), report.partition(), report.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    bounds = stored_batch(kafka, topic, partition, offset)
    return topic, partition, offset if bounds is None else bounds.last + 1


def messages_of_order(messages: Sequence[Message], order_id: str) -> list[Message]:
    return [message for message in messages if message.key() == order_id.encode()]


def header(message: Message, name: str) -> str | None:
    found = dict(message.headers() or ()).get(name)
    return found.decode() if isinstance(found, bytes) else None


def value(message: Message) -> Json:
    found: Json = json.loads(message.value() or b"null")
    return found


def publish_outgoing(kafka: KafkaAddress, records: Iterable[Outgoing]) -> None:
    assert BatchPublisher(kafka, "test").publish_all(list(records), 20)


def read_key(kafka: KafkaAddress, topic: str, key: str, count: int) -> list[Message]:
    """Read the topic from its beginning until *count* records of *key* are found."""
    consumer = Consumer(
        {**librdkafka_config(kafka), "group.id": unique("group"), "enable.auto.commit": False}
    )
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        seen: list[Message] = []
        deadline = time.monotonic() + 30
        while len(seen) < count and time.monotonic() < deadline:
            found = consumer.consume(500, 0.2)
            seen += [item for item in found if item.error() is None and item.key() == key.encode()]
        return seen
    finally:
        consumer.close()


def headers(record: Message) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers() or ()}
