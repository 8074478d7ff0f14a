"""What confluent-kafka gives is a record, whatever its headers are."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.record_conversion import from_confluent
from order_runtime.kafka.records import MAX_HEADERS, NOT_UTF8, TOO_MANY_HEADERS, Record
from support.builders.stored_batches import StoredBytes, batch_bytes
from support.stack.stored_batches import publish_batch

COUNT = 200
AT = datetime(2025, 11, 28, 12, 0, 0, 123_000, tzinfo=UTC)


@dataclass
class Message:
    """As confluent-kafka's: its headers can be asked for once, where a name isn't UTF-8."""

    found: list[tuple[str, bytes | None]] | Exception | None
    asked: int = 0

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        self.asked += 1
        assert self.asked == 1, "a second call reads a null pointer"
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def topic(self) -> str:
        return "orders.commands"

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return 7

    def timestamp(self) -> tuple[int, int]:
        return 2, round(AT.timestamp() * 1000)

    def key(self) -> bytes:
        return b"o-1"

    def value(self) -> bytes:
        return b"{}"


@pytest.mark.parametrize(
    "error", [SystemError("error return"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "start")]
)
def test_headers_that_the_client_cannot_give_are_left_out(error: Exception) -> None:
    record = from_confluent(Message(error))
    assert (record.key, record.value, record.headers) == (b"o-1", b"{}", ())
    assert (record.unreadable, record.at) == (NOT_UTF8, AT)


def test_of_too_many_headers_the_first_are_kept() -> None:
    """The sender's id is usually among them."""
    headers: list[tuple[str, bytes | None]] = [("ce_id", b"x"), *[("h", b"")] * MAX_HEADERS]
    record = from_confluent(Message(headers))
    assert (len(record.headers), record.headers[0]) == (MAX_HEADERS, ("ce_id", b"x"))
    assert record.unreadable == TOO_MANY_HEADERS


@pytest.mark.parametrize("headers", [None, [], [("h", None)] * MAX_HEADERS])
def test_any_other_headers_are_kept_as_they_are(
    headers: list[tuple[str, bytes | None]] | None,
) -> None:
    record = from_confluent(Message(headers))
    assert (record.headers, record.unreadable) == (tuple(headers or ()), None)


def test_a_header_name_that_is_not_utf_8_is_noticed_however_often_it_comes() -> None:
    """
    The real client, on librdkafka's own mock broker.

    Its `headers()` leaves an exception behind, which an interpreter that has specialised the call
    (after some eight times) raises from whatever is called next.
    """
    quiet = {"log_level": 0}
    producer = Producer({"bootstrap.servers": "mock", "test.mock.num.brokers": 1} | quiet)
    [broker] = producer.list_topics(timeout=10).brokers.values()
    kafka = f"{broker.host}:{broker.port}"
    producer.list_topics("t", timeout=10)  # which makes the topic
    bad = StoredBytes(b"o-1", b"{}", [(b"ce_id", b"x"), (b"na\xffme", b"y")])
    publish_batch(KafkaAddress(kafka), "t", 0, batch_bytes([bad] * COUNT, at=None))
    config = {"bootstrap.servers": kafka, "group.id": "g", "enable.auto.commit": False}
    with closing(Consumer(config | quiet)) as consumer:
        consumer.assign([TopicPartition("t", 0, 0)])
        read: list[Record] = []
        for _ in range(100):
            read += [from_confluent(it) for it in consumer.consume(100, 0.3) if not it.error()]
            if len(read) >= COUNT:
                break
    assert [(it.key, it.headers, it.unreadable) for it in read] == [(b"o-1", (), NOT_UTF8)] * COUNT
