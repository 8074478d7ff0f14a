"""Clients of Kafka, and topics read from beginning to end."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from typing import Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from order_operations.problems import OperationFailed
from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from order_runtime.kafka.batch_lookup import UNDECODABLE, stored_batch
from order_runtime.kafka.record_conversion import from_confluent
from order_runtime.kafka.records import Record
from order_runtime.kafka.refusals import refusal

CLIENT_ID: Final = "orders-cli"
SILENCE_SECONDS: Final = 15.0  # without an answer, after which Kafka counts as away
REFUSAL_SECONDS: Final = 3.0  # in which a broker says that it refuses a client
_AWAY: Final = frozenset({KafkaError._TRANSPORT, KafkaError._TIMED_OUT})  # noqa: SLF001

Partition = tuple[str, int]  # topic and number
Offsets = dict[Partition, int]


def admin_client(kafka: KafkaAddress) -> AdminClient:
    """Return a client that doesn't log: that a broker is away is expected, and said otherwise."""
    return AdminClient(librdkafka_config(kafka) | {"log_level": 0})


def unavailable(kafka: KafkaAddress) -> OperationFailed:
    """Return why Kafka can't be used: it is away, or doesn't let the command in. Asks it."""
    refusals: list[str] = []

    def note(error: KafkaError) -> None:
        if reason := refusal(error):
            refusals.append(reason)

    client = AdminClient(librdkafka_config(kafka) | {"log_level": 0, "error_cb": note})
    with suppress(KafkaException):
        client.list_topics(timeout=REFUSAL_SECONDS)
    client.poll(0)
    if refusals:
        return OperationFailed(f"Kafka at {kafka} doesn't let the command in: {refusals[0]}.")
    return OperationFailed(f"Kafka at {kafka} doesn't answer.")


def require_answer(kafka: KafkaAddress) -> None:
    """Raise OperationFailed where Kafka doesn't answer, before anything waits longer for it."""
    try:
        admin_client(kafka).list_topics(timeout=SILENCE_SECONDS)
    except KafkaException as error:
        raise unavailable(kafka) from error


def read_to_end(kafka: KafkaAddress, topics: Collection[str]) -> Iterator[Record]:
    """
    Yield the records that the topics hold now, each partition in its order; commits nothing.

    A batch that can't be decompressed is passed over, since it holds nothing to show. Raises
    OperationFailed where Kafka doesn't answer or a topic doesn't exist.
    """
    with closing(_consumer(kafka)) as consumer:
        try:
            unread = _partitions(consumer, topics)
            consumer.assign([TopicPartition(*it, OFFSET_BEGINNING) for it in unread])
            while unread:
                message = consumer.poll(SILENCE_SECONDS)
                if message is None:
                    raise unavailable(kafka)
                error = message.error()
                if error is None:
                    yield from_confluent(message)
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    unread.discard((message.topic(), message.partition()))
                elif error.code() in UNDECODABLE:
                    _pass_over(consumer, kafka, message)
        except KafkaException as error:
            if error.args[0].code() in _AWAY:
                raise unavailable(kafka) from error
            reason = error.args[0].str()
            raise OperationFailed(f"Kafka at {kafka} can't be read: {reason}.") from error


def _pass_over(consumer: Consumer, kafka: KafkaAddress, report: Message) -> None:
    """Go on behind the batch that *report* is about; it comes again where that fails."""
    topic, partition = report.topic(), report.partition()
    bounds = stored_batch(kafka, topic, partition, report.offset())
    if bounds is not None:
        consumer.seek(TopicPartition(topic, partition, bounds.last + 1))


def _consumer(kafka: KafkaAddress) -> Consumer:
    return Consumer(
        librdkafka_config(kafka)
        | {
            "client.id": CLIENT_ID,
            "group.id": CLIENT_ID,  # librdkafka asks for one; nothing is ever committed
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,  # or each empty partition costs half a second
            "log_level": 0,
        }
    )


def _partitions(consumer: Consumer, topics: Collection[str]) -> set[Partition]:
    known = consumer.list_topics(timeout=SILENCE_SECONDS).topics
    if missing := sorted(set(topics) - known.keys()):
        raise OperationFailed(f"Kafka has no topic {missing[0]}; docs/operating.md lists all.")
    return {(topic, partition) for topic in topics for partition in known[topic].partitions}
