"""Kafka as another system uses it: publishing commands directly, reading what is announced."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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

from support.builders.bodies import Json

COMMANDS = "orders.commands"


@dataclass(frozen=True, slots=True)
class Raw:
    """A record as a publisher makes it, right or wrong."""

    key: str | bytes | None
    value: bytes | None
    headers: Mapping[str, str | bytes] | Sequence[tuple[str, str | bytes | None]]
    partition: int = -1  # the one that its key names

    @property
    def pairs(self) -> Sequence[tuple[str, str | bytes | None]]:
        if isinstance(self.headers, Mapping):
            return list(self.headers.items())
        return self.headers

    def saying(self, headers: Mapping[str, str | bytes]) -> Raw:
        """Return it with these headers, in place of those that it has."""
        return replace(self, headers=list((dict(self.pairs) | dict(headers)).items()))


def register(body: Json, job_id: str | None = None, **headers: str) -> Raw:
    """Return a RegisterOrder as the contract asks for it."""
    ce = {
        "ce_specversion": "1.0",
        "ce_id": job_id or str(uuid4()),
        "ce_source": "/tests",
        "ce_type": "RegisterOrder.v1",
    }
    return Raw(body["orderId"], json.dumps(body).encode(), ce | headers)


def delete(order_id: str, job_id: str | None = None) -> Raw:
    ce = {"ce_id": job_id or str(uuid4()), "ce_source": "/tests", "ce_type": "DeleteOrder.v1"}
    return Raw(order_id, json.dumps({"orderId": order_id}).encode(), ce)


def publish(
    kafka: str,
    records: Iterable[Raw],
    *,
    topic: str = COMMANDS,
    partition: int = -1,
    **settings: Any,
) -> list[tuple[int, int]]:
    """Publish in order; return each record's partition and offset."""
    config = {"bootstrap.servers": kafka, "partitioner": "murmur2_random"}
    producer = Producer(config | settings)
    places: dict[int, tuple[int, int]] = {}

    def deliver(at: int, error: Any, message: Message) -> None:
        assert error is None, error
        places[at] = (message.partition(), message.offset())

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
    return [places[at] for at in sorted(places)]


def read_all(kafka: str, *topics: str, seconds: float = 30) -> list[Message]:
    """Return everything that the topics hold now, each partition in the order of its offsets."""
    consumer = Consumer(
        {
            "bootstrap.servers": kafka,
            "group.id": f"test-{uuid4()}",
            "enable.auto.commit": False,
            # Not counted by offsets: a compacted topic holds fewer records than those say.
            "enable.partition.eof": True,
        }
    )
    try:
        known = consumer.list_topics(timeout=10).topics
        open_ones = {(topic, at) for topic in topics for at in known[topic].partitions}
        consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in open_ones])
        found: list[Message] = []
        end = time.monotonic() + seconds
        while open_ones:
            assert time.monotonic() < end, f"not read within {seconds} s: {open_ones}"
            batch = consumer.consume(1_000, timeout=0.1)
            found.extend(message for message in batch if message.error() is None)
            open_ones -= {(it.topic(), it.partition()) for it in batch if _is_end(it)}
        return found
    finally:
        consumer.close()


def _is_end(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001


def of_order(messages: Sequence[Message], order_id: str) -> list[Message]:
    return [message for message in messages if message.key() == order_id.encode()]


def header(message: Message, name: str) -> str | None:
    found = dict(message.headers() or ()).get(name)
    return found.decode() if isinstance(found, bytes) else None


def value(message: Message) -> Json:
    found: Json = json.loads(message.value() or b"null")
    return found


def lag(kafka: str, group: str, topic: str) -> int:
    """Return how many records of *topic* the group has not committed."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group})
    try:
        ends = _ends(consumer, topic)
        committed = _committed(consumer, topic, ends)
        return sum(end - committed[at] for at, end in ends.items())
    finally:
        consumer.close()


def _committed(consumer: Consumer, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    asked = [TopicPartition(topic, at) for at in partitions]
    return {it.partition: max(it.offset, 0) for it in consumer.committed(asked, timeout=10)}


def _ends(consumer: Consumer, topic: str) -> dict[int, int]:
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    return {
        at: consumer.get_watermark_offsets(TopicPartition(topic, at), timeout=10)[1]
        for at in partitions
    }
