"""Erases a contact: asks for it, waits until all have done their part, and looks whether it is."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from confluent_kafka import KafkaException

from order_contracts.topics import (
    ACTIONS,
    COMMANDS,
    ENRICHER,
    EVENTS,
    TOPICS,
    TRIGGER,
    WRITER,
    Topic,
)
from order_contracts.values import rfc3339
from order_operations import contact_data, pii_scan, reference_load
from order_operations.dead_letter_view import position_of
from order_operations.dead_letters import DeadLetters
from order_operations.kafka_client import ends_of
from order_operations.mongo_client import connect
from order_runtime.kafka.records import Record
from order_stack.cluster.parts import Stack
from order_stack.problems import StackProblem

# What was under way goes through twice: once to be met, and once as what was asked about it.
_ROUND: Final = ((COMMANDS, WRITER), (EVENTS, ENRICHER))
_WAY: Final = (*_ROUND, *_ROUND, (ACTIONS, TRIGGER))
SEGMENT: Final = timedelta(days=7)  # Kafka deletes whole segments, which grow for so long
NOTHING_PERSONAL: Final = frozenset({"orders.deliveries", "orders.dlq.handled"})


@dataclass(frozen=True, slots=True)
class Report:
    """What became of an erasure."""

    left: list[str]
    """Documents that hold an identifier still."""
    letters: list[str]
    """Dead letters that hold one: dropped they age out, replayed they would come back."""
    ages_out: dict[str, str]
    """When the last of it is gone from each topic, at the latest."""


def erase(stack: Stack, contact_id: str, seconds: float) -> Report:
    """Delete the contact and return when everything of it is gone, or where it isn't."""
    deadline = time.monotonic() + seconds
    sought = pii_scan.pattern(
        contact_data.identifiers(contact_data.known_of(stack, contact_id), contact_id)
    )
    ends = reference_load.publish(stack.kafka, [reference_load.tombstone(contact_id)])
    reference_load.wait_until_read(stack.kafka, ends, seconds)
    for topic, group in _WAY:
        _handled(stack, topic, group, max(1.0, deadline - time.monotonic()))
    with connect(stack.mongo, contact_data.SECONDS) as client:
        left = list(pii_scan.leaks(client[stack.database], sought))
    held = DeadLetters(stack.kafka).records([it.name for it in TOPICS if it.name.endswith(".dlq")])
    letters = [str(position_of(it)) for it in held if any(map(sought.search, _bytes(it)))]
    return Report(left, letters, ages_out(TOPICS, datetime.now(UTC)))


def _handled(stack: Stack, topic: Topic, group: str, seconds: float) -> None:
    try:
        ends = ends_of(stack.kafka, topic.name)
    except (KafkaException, TimeoutError) as error:
        raise StackProblem(
            f"The tombstone is published, but Kafka at {stack.kafka} doesn't answer now; "
            "run the command again when it does."
        ) from error
    reference_load.wait_until_read(stack.kafka, ends, seconds, group)


def _bytes(record: Record) -> Iterable[bytes]:
    return (record.key or b"", record.value or b"", *(it or b"" for _, it in record.headers))


def ages_out(topics: Collection[Topic], now: datetime) -> dict[str, str]:
    """Return when what these topics hold of somebody is gone from each, at the latest."""
    return {
        topic.name: rfc3339(now + _kept(topic))
        if topic.retention_ms is not None
        else "when the broker has compacted it"
        for topic in topics
        if topic.name not in NOTHING_PERSONAL and (topic.retention_ms or "contacts" in topic.name)
    }


def _kept(topic: Topic) -> timedelta:
    return timedelta(milliseconds=topic.retention_ms or 0) + SEGMENT
