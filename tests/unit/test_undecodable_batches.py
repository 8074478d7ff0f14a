"""The order-writer's consumer goes on behind a batch that librdkafka reports, once a take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from order_runtime.kafka.record_batches import BatchBounds
from order_writer.adapters.undecodable_batches import UndecodableBatches

TOPIC = "orders.commands"


@dataclass
class Report:
    """As librdkafka reports a batch: by its first offset."""

    first: int
    number: int = 3

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return self.number

    def offset(self) -> int:
        return self.first


@dataclass
class Scene:
    """A consumer, and a broker that has a batch of ten records from every tenth offset."""

    away: bool = False
    lost: bool = False
    asked: list[int] = field(default_factory=list)
    sought: list[tuple[int, int]] = field(default_factory=list)

    def seek(self, partition: TopicPartition) -> None:
        if self.lost:
            raise KafkaException(KafkaError(KafkaError._STATE))  # noqa: SLF001
        self.sought.append((partition.partition, partition.offset))

    def stored(self, topic: str, partition: int, offset: int) -> BatchBounds | None:
        assert (topic, partition) == (TOPIC, 3)
        self.asked.append(offset)
        return None if self.away else BatchBounds(offset, offset + 9, at=0)


def batches(scene: Scene) -> UndecodableBatches:
    return UndecodableBatches(scene, scene.stored)


def skip(made: UndecodableBatches, first: int) -> Any:
    report: Any = Report(first)
    return made.skip(report)


def test_a_batch_is_one_record_at_its_last_offset_and_the_consumer_goes_on_behind() -> None:
    scene = Scene()
    record = skip(batches(scene), 40)
    assert (record.partition, record.first_offset, record.offset) == (3, 40, 49)
    assert scene.sought == [(3, 50)]


def test_a_batch_that_is_reported_again_in_one_take_is_one_record() -> None:
    """librdkafka reports it twice a second while a batch is being stored."""
    scene = Scene()
    made = batches(scene)
    assert [skip(made, it) is not None for it in (40, 40, 40, 50, 50)] == [
        *(True, False, False),
        *(True, False),
    ]
    assert scene.asked == [40, 50]


def test_a_batch_that_comes_back_with_another_take_is_followed_again() -> None:
    """Whatever made librdkafka go back, the consumer doesn't stand still."""
    made = batches(Scene())
    first = skip(made, 40)
    made.begin_take()
    assert skip(made, 40) == first


def test_while_the_broker_is_away_nothing_is_passed_over() -> None:
    scene = Scene(away=True)
    made = batches(scene)
    assert skip(made, 40) is None
    assert (scene.sought, made.positions) == ([], {})
    scene.away = False
    assert skip(made, 40) is not None


def test_a_partition_that_was_just_lost_is_its_next_owners() -> None:
    made = batches(Scene(lost=True))
    assert skip(made, 40) is None
    assert made.positions == {}


def test_what_was_passed_over_counts_as_read_until_the_partition_is_revoked() -> None:
    made = batches(Scene())
    skip(made, 40)
    assert made.positions == {3: 50}
    made.revoked([3, 4])
    assert made.positions == {}
