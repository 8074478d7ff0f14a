"""
How far a consumer group is behind: by records, and by the age of the oldest that waits.

Asked of Kafka and not of the consumer, so that a consumer which stands still shows it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from order_runtime.kafka.refusal_log import log_refusal

SECONDS: Final = 3.0  # for each answer of Kafka's
POLL_SECONDS: Final = 0.2
Partition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class TopicLag:
    """What a group has not processed of a topic."""

    records: int
    """Offsets from its first unprocessed record on, transaction markers between them included."""
    seconds: float
    """The age of the oldest of these records; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    offset: int
    at_ms: int


class GroupLag:
    """Asks Kafka as the group, without joining it; for one thread."""

    def __init__(self, kafka: KafkaAddress, group: str, topics: Sequence[str]) -> None:
        self._topics = topics
        self._consumer = Consumer(
            librdkafka_config(kafka)
            | {
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "error_cb": log_refusal,
                "log_level": 0,
                # One record of each partition is looked at.
                "queued.min.messages": 1,
                "queued.max.messages.kbytes": 1_024,
                "max.partition.fetch.bytes": 64 * 1_024,
            }
        )

    def close(self) -> None:
        self._consumer.close()

    def ask(self, topic: str) -> None:
        """Return once Kafka has answered; raises KafkaException where it doesn't."""
        self._partitions(topic)

    def measure(self) -> dict[str, TopicLag]:
        """Return the lag of each topic; raises KafkaException where Kafka doesn't answer."""
        partitions = [place for topic in self._topics for place in self._partitions(topic)]
        ends = self._ends(partitions)
        behind = self._behind(partitions, ends)
        waiting = self._first_records(behind) if behind else {}
        now_ms = time.time() * 1_000
        return {it: _topic_lag(it, waiting, ends, now_ms) for it in self._topics}

    def _partitions(self, topic: str) -> list[Partition]:
        known = self._consumer.list_topics(topic, timeout=SECONDS).topics[topic]
        return [(topic, number) for number in known.partitions]

    def _ends(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the end of each partition, before transactions that are open."""
        asked = [TopicPartition(*place, OFFSET_END) for place in partitions]
        found = self._consumer.offsets_for_times(asked, timeout=SECONDS) if asked else []
        return {(it.topic, it.partition): it.offset for it in _checked(found)}

    def _behind(
        self, partitions: Iterable[Partition], ends: Mapping[Partition, int]
    ) -> dict[Partition, int]:
        """Return the next offset of the group in partitions that have one before their end."""
        asked = [TopicPartition(*place) for place in partitions]
        found = _checked(self._consumer.committed(asked, timeout=SECONDS)) if asked else []
        at = {
            (it.topic, it.partition): it.offset if it.offset >= 0 else OFFSET_BEGINNING
            for it in found
        }
        return {place: it for place, it in at.items() if it < ends.get(place, 0)}

    def _first_records(self, behind: Mapping[Partition, int]) -> dict[Partition, _Waiting]:
        """
        Return the first record of each partition that has one: markers are no records.

        Raises KafkaException where one gave no answer in time.
        """
        found: dict[Partition, _Waiting] = {}
        left = set(behind)
        deadline = time.monotonic() + SECONDS
        places = [TopicPartition(*place, at) for place, at in behind.items()]
        self._consumer.assign(places)
        self._consumer.resume(places)  # those that were paused the last time still are
        try:
            while left and time.monotonic() < deadline:
                for message in self._consumer.consume(len(left), POLL_SECONDS):
                    place = _place(message)
                    if place in left and (record := _waiting(message)) is not None:
                        found[place] = record
                    if place in left:
                        left.discard(place)
                        self._consumer.pause([TopicPartition(*place)])
        finally:
            self._consumer.unassign()
        if left:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001
        return found


def _place(message: Message) -> Partition:
    return message.topic() or "", message.partition() or 0


def _waiting(message: Message) -> _Waiting | None:
    """Return the record of *message*; None at the end of its partition."""
    error = message.error()
    if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
        return None
    # Of a batch that can't be read there is no time.
    at_ms = int(time.time() * 1_000) if error is not None else message.timestamp()[1]
    return _Waiting(message.offset() or 0, at_ms)


def _checked(found: Iterable[TopicPartition]) -> list[TopicPartition]:
    places = list(found)
    for place in places:
        if place.error is not None and place.error.code() != KafkaError.NO_ERROR:
            raise KafkaException(place.error)
    return places


def _topic_lag(
    topic: str, waiting: Mapping[Partition, _Waiting], ends: Mapping[Partition, int], now_ms: float
) -> TopicLag:
    own = {place: it for place, it in waiting.items() if place[0] == topic}
    records = sum(max(0, ends[place] - it.offset) for place, it in own.items())
    oldest = min((it.at_ms for it in own.values()), default=now_ms)
    return TopicLag(records, max(0.0, (now_ms - oldest) / 1_000))
