"""Batches that librdkafka can't read: each is passed over, and stands as one record."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from confluent_kafka import KafkaException, Message, TopicPartition

from order_runtime.kafka.record_batches import BatchBounds
from order_runtime.kafka.record_conversion import unreadable_batch
from order_runtime.kafka.records import Record
from order_runtime.process.logs import log
from order_writer.log_events import BATCH_UNDECODABLE

BatchLookup = Callable[[str, int, int], BatchBounds | None]
"""From topic, partition and offset to the batch that holds it, if that can be learnt."""


class SeekingConsumer(Protocol):
    """What is needed of confluent-kafka's consumer."""

    def seek(self, partition: TopicPartition, /) -> None: ...


class UndecodableBatches:
    """Moves the consumer behind batches that it reports as undecodable; for one thread."""

    def __init__(self, consumer: SeekingConsumer, stored: BatchLookup) -> None:
        self._consumer, self._stored = consumer, stored
        self._behind: dict[int, int] = {}  # of this take, the next offset of each partition
        self.positions: dict[int, int] = {}
        """
        The next offset of each partition in which a batch was passed over. The consumer doesn't
        count as read what it was moved behind.
        """

    def begin_take(self) -> None:
        """
        Forget the batches of former takes.

        A report that comes again in spite of all is followed again, so that the consumer can't
        stand still; within one take several reports of a batch may be queued.
        """
        self._behind.clear()

    def skip(self, report: Message) -> Record | None:
        """
        Go on behind the batch of *report*; return the record that stands for it.

        None where this take has it already, and where its end can't be learnt at the moment: then
        librdkafka reports the batch again.
        """
        topic, partition, offset = report.topic(), report.partition(), report.offset()
        if offset is None or offset < self._behind.get(partition, 0):
            return None
        bounds = self._stored(topic, partition, offset)
        if bounds is None or not self._seek(TopicPartition(topic, partition, bounds.last + 1)):
            return None
        self._behind[partition] = self.positions[partition] = bounds.last + 1
        where = {"partition": partition, "first": bounds.first, "last": bounds.last}
        log().warning(BATCH_UNDECODABLE, **where)
        return unreadable_batch(topic, partition, bounds)

    def revoked(self, partitions: Iterable[int]) -> None:
        """Forget *partitions*, which were revoked or lost."""
        for partition in partitions:
            self.positions.pop(partition, None)

    def _seek(self, place: TopicPartition) -> bool:
        """Return whether the consumer goes on at *place*: not where it just lost the partition."""
        try:
            self._consumer.seek(place)
        except KafkaException:
            return False
        return True
