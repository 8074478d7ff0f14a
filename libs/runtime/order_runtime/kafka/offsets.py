"""Offsets of a consumer group: its first ones, and whether the log still has its next ones."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from order_runtime.process.errors import OffsetsLost

TIMEOUT: Final = 10.0  # seconds
WHAT_TO_DO: Final = "docs/operating.md says how to set the group's offsets."
NO_OFFSET: Final = "no offset is committed to Kafka, as where the topic was deleted."


def commit_beginnings(kafka: KafkaAddress, group: str, topics: Iterable[str]) -> None:
    """
    Commit the first offset of each partition that *group* has committed none for.

    A new group starts at the beginning so, whatever its client's `auto.offset.reset` says: any
    consumer that later finds no offset, or one that isn't in the log, knows that records were
    lost, and stops. Raises OffsetsLost where an offset is out of range now, and KafkaException
    where Kafka is away or another member joined meanwhile; then ask again.
    """
    consumer = Consumer(librdkafka_config(kafka) | {"group.id": group, "log_level": 0})
    try:
        new = [place for topic in topics for place in _new(consumer, group, topic)]
        if new:
            for done in consumer.commit(offsets=new, asynchronous=False):
                if done.error is not None:
                    raise KafkaException(done.error)
    finally:
        consumer.close()


def offset_out_of_range(place: str, group: str, goes_on: int, first: int, end: int) -> str | None:
    """Return a sentence where the next offset of *group* is not in the log, else None."""
    if goes_on < first:
        wrong = f"the log begins at {first}: what is between was deleted before it was read"
    elif goes_on > end:
        wrong = f"the log ends at {end}: the topic was deleted and made anew"
    else:
        return None
    return f"{place}: the group {group} is to go on at {goes_on}, and {wrong}. {WHAT_TO_DO}"


def deleted_unread_sentence(place: str, group: str, goes_on: int, first: int) -> str:
    """Say that MongoDB goes on below the log's start, and how the senders learn what is lost."""
    return (
        f"{place}: MongoDB has what the group {group} did before offset {goes_on}, and the log"
        f" begins at {first}: what is between was deleted from Kafka, and the database was restored"
        " to before it. Its senders learn by POST /orders/check what is missing;"
        " `orders offsets apply --accept-loss` lets the group go on behind it. See"
        " docs/operating.md."
    )


def _new(consumer: Consumer, group: str, topic: str) -> list[TopicPartition]:
    """Return the first offsets of the partitions without one; raises OffsetsLost."""
    partitions = consumer.list_topics(topic, timeout=TIMEOUT).topics[topic].partitions
    asked = [TopicPartition(topic, partition) for partition in partitions]
    new = []
    for place in consumer.committed(asked, timeout=TIMEOUT):
        first, end = consumer.get_watermark_offsets(place, timeout=TIMEOUT, cached=False)
        if place.offset < 0:
            new.append(TopicPartition(topic, place.partition, first))
        elif sentence := offset_out_of_range(
            f"{topic} {place.partition}", group, place.offset, first, end
        ):
            raise OffsetsLost(sentence)
    return new


def committed_offsets(
    kafka: KafkaAddress, group: str, partitions: Iterable[tuple[str, int]], timeout: float = TIMEOUT
) -> dict[tuple[str, int], int]:
    """
    Return the offsets that *group* has committed of those partitions that it has one of.

    Raises KafkaException where Kafka gives no answer within *timeout* seconds.

    It asks as a consumer that joins no group. `AdminClient.list_consumer_group_offsets` must not be
    used: librdkafka 2.16 ends the process by a segmentation fault where the group's coordinator is
    just moving, since what it does about that answer takes a consumer for granted.
    """
    asked = [TopicPartition(*place) for place in partitions]
    config = librdkafka_config(kafka) | {
        "group.id": group,
        "enable.auto.commit": False,
        "log_level": 0,
    }
    with closing(Consumer(config)) as consumer:
        found = consumer.committed(asked, timeout=timeout)
    for place in found:
        if place.error is not None:
            raise KafkaException(place.error)
    return {(place.topic, place.partition): place.offset for place in found if place.offset >= 0}


def first_offsets(
    kafka: KafkaAddress, group: str, partitions: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], int]:
    """Return where the log of each partition begins; raises KafkaException as above."""
    config = librdkafka_config(kafka) | {"group.id": group, "log_level": 0}
    with closing(Consumer(config)) as consumer:
        return {place: _first(consumer, TopicPartition(*place)) for place in partitions}


def _first(consumer: Consumer, place: TopicPartition) -> int:
    first, _ = consumer.get_watermark_offsets(place, timeout=TIMEOUT, cached=False)
    return int(first)


def holds_records(
    kafka: KafkaAddress, group: str, place: tuple[str, int], start: int, end: int
) -> bool:
    """
    Return whether a partition has, or had, a record from *start* to before *end*.

    Offsets may be of none: of transaction markers, and of what compaction removed. Raises
    KafkaException where Kafka doesn't answer. Asks as *group*, on which the service has rights, and
    commits nothing: of another group librdkafka reports that the broker refuses it.
    """
    config = librdkafka_config(kafka) | {
        "group.id": group,
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "log_level": 0,
    }
    with closing(Consumer(config)) as consumer:
        consumer.assign([TopicPartition(*place, start)])
        message = consumer.poll(TIMEOUT)
        if message is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
        if message.error() is None:
            return bool(message.offset() < end)
        # Any other error, as of a start that the log doesn't have, leaves it open: assume records.
        return bool(message.error().code() != KafkaError._PARTITION_EOF)  # noqa: SLF001
