"""Erases a contact: publishes its tombstone, waits for every service, and searches for traces."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from confluent_kafka import KafkaException

from order_contracts.times import rfc3339
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
from order_operations.connections.kafka_client import read_to_end
from order_operations.connections.mongo_client import open_database
from order_operations.connections.system_address import SystemAddress
from order_operations.consumers.progress import end_offsets, wait_until_committed
from order_operations.dead_letters.letter_view import DEAD_LETTER_TOPICS, position_of
from order_operations.privacy import pii_scan
from order_operations.privacy.contact_data import (
    contact_data,
    identifiers,
    merged_into,
    shared_keys,
    without_shared,
)
from order_operations.problems import OperationFailed
from order_operations.reference import reference_load
from order_operations.reference.healing_backlog import wait_until_erased
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.records import Record

# Commands and events twice: the enricher answers what was under way with DeleteOrder commands,
# which are commands and events in their turn.
_COMMANDS_TO_EVENTS: Final = ((COMMANDS, WRITER), (EVENTS, ENRICHER))
_STAGES: Final = (*_COMMANDS_TO_EVENTS, *_COMMANDS_TO_EVENTS, (ACTIONS, TRIGGER))
SEGMENT: Final = timedelta(days=7)  # Kafka deletes whole segments, which grow for so long
NOTHING_PERSONAL: Final = frozenset({"orders.deliveries", "orders.dlq.handled"})


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """What is left of an erased contact."""

    left: list[str]
    """Documents that still hold an identifier, each as its collection and id."""
    letters: list[str]
    """Positions of dead letters that hold one: they age out, but a replay would bring it back."""
    ages_out: dict[str, str]
    """By topic, the latest time at which the last of it is deleted."""
    shared: list[str]
    """The types of those of its keys that another contact carries too: not searched for."""
    pending: int = 0
    """1 while the enricher has portions of its orders and deliveries yet to erase."""


def erase_contact(system: SystemAddress, contact_id: str, seconds: float) -> ErasureReport:
    """
    Delete a contact with its orders; return when all services have handled it, with what is left.

    Where so many orders are the contact's that the enricher isn't done with them within so many
    seconds, that is said to be pending. Raises OperationFailed for a contact that was merged, and
    where a service hasn't read all of it in time; the tombstone is published then, and to erase
    once more does no harm.
    """
    deadline = time.monotonic() + seconds
    known = contact_data(system.mongo, contact_id)
    if survivor := known["contact"] and merged_into(system.mongo, contact_id):
        raise OperationFailed(
            f"It was merged into {survivor}: its tombstone deletes no orders. Erase that one."
        )
    ends = reference_load.publish(system.kafka, [reference_load.contact_tombstone(contact_id)])
    wait_until_committed(system.kafka, ENRICHER, ends, seconds)
    pending = wait_until_erased(system.mongo, contact_id, _left(deadline))
    for topic, group in () if pending else _STAGES:
        _wait_until_handled(system.kafka, topic, group, _left(deadline))
    with open_database(system.mongo) as database:
        shared = shared_keys(database, known)
        sought = pii_scan.pattern(without_shared(identifiers(known, contact_id), shared))
        left = list(pii_scan.leaks(database, sought))
    letters = [
        str(position_of(it))
        for it in read_to_end(system.kafka, DEAD_LETTER_TOPICS)
        if any(map(sought.search, _parts(it)))
    ]
    kinds = sorted(key.partition(":")[0] for key in shared)
    return ErasureReport(left, letters, ages_out(TOPICS, datetime.now(UTC)), kinds, pending)


def _left(deadline: float) -> float:
    return max(1.0, deadline - time.monotonic())


def ages_out(topics: Collection[Topic], now: datetime) -> dict[str, str]:
    """Return, for each topic that may hold personal data, when today's records are gone."""
    return {
        topic.name: rfc3339(now + _retention(topic))
        if topic.retention_ms is not None
        else "when the broker has compacted it"
        for topic in topics
        if topic.name not in NOTHING_PERSONAL and (topic.retention_ms or "contacts" in topic.name)
    }


def _wait_until_handled(kafka: KafkaAddress, topic: Topic, group: str, seconds: float) -> None:
    try:
        ends = end_offsets(kafka, topic.name)
    except (KafkaException, TimeoutError) as error:
        raise OperationFailed(
            f"The tombstone is published, but Kafka at {kafka} doesn't answer now; "
            "do it again when it does."
        ) from error
    wait_until_committed(kafka, group, ends, seconds)


def _parts(record: Record) -> Iterable[bytes]:
    return (record.key or b"", record.value or b"", *(it or b"" for _, it in record.headers))


def _retention(topic: Topic) -> timedelta:
    return timedelta(milliseconds=topic.retention_ms or 0) + SEGMENT
