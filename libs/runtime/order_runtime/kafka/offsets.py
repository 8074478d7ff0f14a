"""Offsets of a consumer group: its first ones, and whether the log still has its next ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from order_runtime.process.errors import OffsetsLost

TIMEOUT: Final = 10.0  # seconds
WHAT_TO_DO: Final = "docs/operating.md says how to set the group's offsets."


def commit_beginnings(kafka: str, group: str, topics: Iterable[str]) -> None:
    """
    Commit the first offset of each partition that *group* has committed none for.

    A new group starts at the beginning so, whatever its client's `auto.offset.reset` says: any
    consumer that later finds no offset, or one that isn't in the log, knows that records were
    lost, and stops. Raises OffsetsLost where an offset is out of range now, and KafkaException
    where Kafka is away or another member joined meanwhile; then ask again.
    """
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": group, "log_level": 0})
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
