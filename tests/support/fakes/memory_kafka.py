"""
Producers in memory, that accept and refuse records as a broker does.

`MemorySink` stands for the `BatchPublisher`, and `MemoryPublisher` for the `Publisher`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from order_contracts.topics import TOPICS, Topic
from order_runtime.kafka.publisher import OutcomeUnknown, RecordTooLarge
from order_runtime.kafka.records import Outgoing
from support.fakes.intercepted_database import WorkerDied
from support.fakes.memory_ledger import Calls
from support.fakes.memory_source import Killed

LIMITS: Mapping[str, int] = {topic.name: topic.max_message_bytes for topic in TOPICS}


def refusal(record: Outgoing, limits: Mapping[str, int]) -> KafkaError | None:
    """Return the error with which a broker refuses *record*, None where it stores it."""
    if record.topic not in limits:
        return KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
    headers = sum(len(name.encode()) + len(value or b"") for name, value in record.headers)
    size = len(record.key or b"") + len(record.value or b"") + headers
    return KafkaError(KafkaError.MSG_SIZE_TOO_LARGE) if size > limits[record.topic] else None


@dataclass
class MemorySink:
    """Stores records once they are acknowledged: at the call after *away* that were not."""

    calls: Calls = field(default_factory=list)
    published: list[Outgoing] = field(default_factory=list)
    away: int = 0
    """For how many more calls the broker can't be reached."""
    dies: bool = False
    limits: Mapping[str, int] = field(default_factory=lambda: LIMITS)

    def __post_init__(self) -> None:
        self._queued: list[Outgoing] = []
        self._refused: list[KafkaError] = []

    def publish_all(self, records: Sequence[Outgoing], timeout: float) -> bool:
        if self.dies:
            raise Killed
        self.calls.append("publish")
        self._refused = []
        self._queued.extend(records)
        return self.flushed(timeout)

    def flushed(self, timeout: float) -> bool:
        assert timeout > 0
        self.away -= 1
        if self._queued and self.away >= 0:
            return False
        for record in self._queued:
            error = refusal(record, self.limits)
            self.published.extend([record] * (error is None))
            self._refused.extend([error] if error else [])
        self._queued = []
        if self._refused:
            raise KafkaException(self._refused[0])
        return True

    def ids(self, topic: str = "orders.events") -> list[str]:
        return ids_of(record for record in self.published if record.topic == topic)


@dataclass
class MemoryPublisher:
    """Stores records; while it isn't `reachable`, who publishes waits."""

    records: list[Outgoing] = field(default_factory=list)
    dies_at: int | None = None
    """The call at which the process dies before anything is stored."""
    calls: int = 0
    limits: Mapping[str, int] = field(default_factory=lambda: LIMITS)

    def __post_init__(self) -> None:
        self.reachable = asyncio.Event()
        self.reachable.set()

    async def publish(self, record: Outgoing) -> None:
        await self.publish_all([record])

    async def publish_all(self, records: Sequence[Outgoing]) -> None:
        self.calls += 1
        if self.calls == self.dies_at:
            raise WorkerDied
        await self.reachable.wait()
        errors = [refusal(record, self.limits) for record in records]
        pairs = zip(records, errors, strict=True)
        self.records.extend(record for record, error in pairs if error is None)
        for error in filter(None, errors):
            too_large = error.code() == KafkaError.MSG_SIZE_TOO_LARGE
            raise (RecordTooLarge if too_large else OutcomeUnknown)(error.name())

    def ids(self) -> list[bytes]:
        return [dict(record.headers)["ce_id"] or b"" for record in self.records]

    def on(self, topic: str) -> list[Any]:
        """Return the data of the records of *topic*."""
        return [json.loads(it.value or b"null") for it in self.records if it.topic == topic]


def ids_of(records: Iterable[Outgoing]) -> list[str]:
    """Return the `ce_id` of each."""
    return [(dict(record.headers)["ce_id"] or b"").decode() for record in records]


def limits_with(topic: Topic) -> Mapping[str, int]:
    """Return the topics' limits with those of one more."""
    return {**LIMITS, topic.name: topic.max_message_bytes}
