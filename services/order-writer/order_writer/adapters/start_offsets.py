"""Where an assigned partition begins: at the lower of Kafka's committed and MongoDB's offset."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from pymongo.errors import PyMongoError

from order_contracts.topics import COMMANDS, WRITER
from order_runtime.kafka.offsets import (
    NO_OFFSET,
    WHAT_TO_DO,
    deleted_unread_sentence,
)
from order_runtime.observability.dependencies import KAFKA, MONGODB
from order_runtime.process.errors import OffsetsLost
from order_runtime.process.logs import log
from order_runtime.process.retry import transient
from order_writer.adapters.offset_commits import TRANSIENT
from order_writer.adapters.stored_offsets import StoredOffsets
from order_writer.domain.offset_tracker import OffsetTracker
from order_writer.log_events import READING_AGAIN

SECONDS: Final = 5.0  # for an answer of Kafka's; it is asked again


class StartOffsets:
    """
    Finds where partitions begin, and has what is lower than Kafka's offset committed to Kafka.

    Kafka's is lower where the process died before it had announced and committed what it stored,
    and after an operator's reset; MongoDB's, where it was restored to an earlier time.
    """

    def __init__(self, stored: StoredOffsets, tracker: OffsetTracker) -> None:
        self._stored, self._tracker = stored, tracker

    def of(self, consumer: Consumer, partitions: Collection[int]) -> Mapping[int, int] | None:
        """
        Return the offsets at which *partitions* begin; None where Kafka or MongoDB is away.

        Raises OffsetsLost where one is below the log's start, and whatever doesn't pass by
        waiting.
        """
        if not partitions:
            return {}
        try:
            committed = _committed(consumer, partitions)
            stored = self._stored.begin(committed)
            starts = {number: min(at, stored[number]) for number, at in committed.items()}
            again = {number: at for number, at in starts.items() if at < committed[number]}
            _require_in_log(consumer, again)
        except KafkaException as error:
            if error.args[0].code() not in TRANSIENT:
                raise
            KAFKA.failed(error.args[0].name())
            return None
        except PyMongoError as error:
            if not transient(error):
                raise
            MONGODB.failed(type(error).__name__)
            return None
        if again:
            records = sum(committed[number] - at for number, at in again.items())
            log().warning(READING_AGAIN, partitions=sorted(again), records=records)
        self._tracker.restarted(again)
        return starts

    def begin(self, consumer: Consumer, partitions: Collection[int]) -> set[int]:
        """
        Let paused *partitions* begin; return those that have.

        The others are to be tried again: Kafka or MongoDB is away, or an assignment isn't complete.
        """
        starts = self.of(consumer, partitions)
        begun = set[int]()
        for number, offset in (starts or {}).items():
            place = TopicPartition(COMMANDS.name, number, offset)
            try:
                consumer.seek(place)
            except KafkaException as error:
                if error.args[0].code() != KafkaError._STATE:  # noqa: SLF001
                    raise
                continue
            consumer.resume([place])
            begun.add(number)
        return begun


def _committed(consumer: Consumer, partitions: Iterable[int]) -> dict[int, int]:
    asked = [TopicPartition(COMMANDS.name, number) for number in partitions]
    found = consumer.committed(asked, timeout=SECONDS)
    for place in found:
        if place.error is not None:
            raise KafkaException(place.error)
        if place.offset < 0:
            raise OffsetsLost(f"{COMMANDS.name} {place.partition}: {NO_OFFSET} {WHAT_TO_DO}")
    return {place.partition: place.offset for place in found}


def _require_in_log(consumer: Consumer, starts: Mapping[int, int]) -> None:
    for number, at in starts.items():
        place = TopicPartition(COMMANDS.name, number)
        first, _ = consumer.get_watermark_offsets(place, timeout=SECONDS, cached=False)
        if at < first:
            raise OffsetsLost(
                deleted_unread_sentence(f"{COMMANDS.name} {number}", WRITER, at, first)
            )
