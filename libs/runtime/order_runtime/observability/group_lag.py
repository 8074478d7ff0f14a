"""
How far a consumer group is behind: by records, and by the age of the oldest that waits.

Asked of Kafka and not of the consumer, so that a consumer which stands still shows it. Of records
the batch's header is looked at alone, so that one that inflates costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from confluent_kafka import (
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import TopicMetadata

from order_runtime.kafka.address import KafkaAddress, librdkafka_config

if TYPE_CHECKING:
    from order_runtime.kafka.record_batches import BatchBounds

SECONDS: Final = 3.0  # for each answer of Kafka's
Partition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class TopicLag:
    """What a group has not processed of a topic."""

    records: int
    """Offsets from its first unprocessed record on, transaction markers between them included."""
    seconds: float
    """The age of the oldest of these records; 0 where there is none."""
    under_replicated: int = 0
    """Partitions of the topic without a leader, or whose replicas aren't all in sync."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    offset: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class _Found:
    """The first batch with records from an offset on; a broker gives it whole, however large."""

    begin: int
    batch: BatchBounds

    def still_first(self, begin: int | None) -> bool:
        """Return whether it is what a look from *begin* on would find."""
        return begin is not None and self.begin <= begin <= self.batch.last


class GroupLag:
    """Asks Kafka as the group, without joining it; for one thread."""

    def __init__(
        self,
        kafka: KafkaAddress,
        group: str,
        topics: Sequence[str],
        on_error: Callable[[KafkaError], None],
    ) -> None:
        self._kafka, self._topics = kafka, topics
        self._found: dict[Partition, _Found] = {}
        self._consumer = Consumer(
            librdkafka_config(kafka)
            | {
                "group.id": group,
                "enable.auto.commit": False,
                "error_cb": on_error,
                "log_level": 0,
            }
        )

    def close(self) -> None:
        self._consumer.close()

    def measure(self) -> dict[str, TopicLag]:
        """Return the lag of each topic; raises KafkaException where Kafka doesn't answer."""
        known = {it: self._consumer.list_topics(it, timeout=SECONDS) for it in self._topics}
        topics = {it: found.topics[it] for it, found in known.items()}
        partitions = [(it, number) for it, topic in topics.items() for number in topic.partitions]
        ends = self._ends(partitions)
        behind = self._behind(partitions, ends)
        waiting = self._first_records(behind, ends) if behind else {}
        now_ms = time.time() * 1_000
        return {
            it: TopicLag(*_lag(it, waiting, ends, now_ms), lacking(topic))
            for it, topic in topics.items()
        }

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
            (it.topic, it.partition): max(it.offset, 0)  # below 0 where nothing is committed
            for it in found
        }
        return {place: it for place, it in at.items() if it < ends.get(place, 0)}

    def _first_records(
        self, behind: Mapping[Partition, int], ends: Mapping[Partition, int]
    ) -> dict[Partition, _Waiting]:
        """
        Return the first record of each partition that has one: markers are no records.

        Raises KafkaException where one gave no answer in time.
        """
        # Here, since the gateway reads nothing and has no use for aiokafka.
        from order_runtime.kafka.batch_lookup import first_batches  # noqa: PLC0415

        begin = {place: max(at, self._low(place)) for place, at in behind.items()}
        kept = {place: it for place, it in self._found.items() if it.still_first(begin.get(place))}
        try:
            asked = {place: at for place, at in begin.items() if place not in kept}
            found = first_batches(self._kafka, asked, ends) if asked else {}
        except (TimeoutError, OSError) as error:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from error  # noqa: SLF001
        self._found = kept | {it: _Found(begin[it], batch) for it, batch in found.items()}
        first = {place: it.batch for place, it in self._found.items()}
        return {place: _Waiting(max(it.first, begin[place]), it.at) for place, it in first.items()}

    def _low(self, place: Partition) -> int:
        """Return the first offset that is still in the log."""
        low, _ = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=SECONDS)
        return int(low)


def lacking(topic: TopicMetadata) -> int:
    """Return how many partitions of a topic lack a leader, or replicas that are in sync."""
    return sum(it.leader < 0 or len(it.isrs) < len(it.replicas) for it in topic.partitions.values())


def _checked(found: Iterable[TopicPartition]) -> list[TopicPartition]:
    places = list(found)
    for place in places:
        if place.error is not None and place.error.code() != KafkaError.NO_ERROR:
            raise KafkaException(place.error)
    return places


def _lag(
    topic: str, waiting: Mapping[Partition, _Waiting], ends: Mapping[Partition, int], now_ms: float
) -> tuple[int, float]:
    """Return what waits of a topic: how many records, and the seconds of the oldest."""
    own = {place: it for place, it in waiting.items() if place[0] == topic}
    records = sum(max(0, ends[place] - it.offset) for place, it in own.items())
    oldest = min((it.at_ms for it in own.values()), default=now_ms)
    return records, max(0.0, (now_ms - oldest) / 1_000)
