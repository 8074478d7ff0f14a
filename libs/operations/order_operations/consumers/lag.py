"""How far each consumer group is behind on each topic, in records and in seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException

from order_contracts.topics import TOPICS
from order_operations.connections.kafka_client import require_answer, unavailable
from order_operations.consumers.progress import GROUPS
from order_operations.problems import OperationFailed
from order_runtime.kafka.address import KafkaAddress
from order_runtime.observability.group_lag import GroupLag


@dataclass(frozen=True, slots=True)
class Lag:
    group: str
    topic: str
    records: int
    """Offsets from the group's first unprocessed record on."""
    seconds: float
    """The age of the oldest of them; 0 where there is none."""


def lags(kafka: KafkaAddress) -> list[Lag]:
    """Return the lag of every group and topic; raises OperationFailed."""
    require_answer(kafka)
    try:
        return [lag for group in sorted(GROUPS) for lag in _lags_of(kafka, group)]
    except KafkaException as error:
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise OperationFailed(
                "Kafka lacks a topic; `orders topics plan` says which, `orders topics apply` makes"
                " it."
            ) from error
        raise unavailable(kafka) from error


def _lags_of(kafka: KafkaAddress, group: str) -> Iterator[Lag]:
    topics = [topic.name for topic in TOPICS if group in topic.readers]
    with closing(GroupLag(kafka, group, topics, on_error=lambda _: None)) as asked:
        for topic, lag in asked.measure().items():
            yield Lag(group, topic, lag.records, round(lag.seconds, 3))
