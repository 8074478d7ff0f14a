"""
Collects the history of a run: the journal of load and faults, all records, documents and webhooks.

    journal = Journal()                      # load and faults are recorded in it
    ... load, faults ...
    wait_until_quiet(stack)                  # fails after a time limit with what is unfinished
    history = collect(stack, journal)        # or collect(...).of(order_ids) on a shared stack
    violations = check(history)              # laws/all_laws.py
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

import httpx
from confluent_kafka import Message, TopicCollection
from pymongo import MongoClient

from order_operations.connections.kafka_client import admin_client
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.batch_lookup import stored_batch
from order_runtime.kafka.record_conversion import from_confluent
from support.builders.bodies import Json
from support.builders.raw_records import COMMANDS_TOPIC
from support.history.history import History, ReceivedWebhook
from support.history.journal import Journal
from support.history.log_record import LogRecord, in_log_order
from support.stack.kafka_records import read_all
from support.stack.running_stack import RunningStack
from support.stack.webhook_receiver import webhook_body

RECORDED_TOPICS: Final = (
    COMMANDS_TOPIC,
    *("orders.events", "orders.enriched", "orders.actions", "orders.deliveries"),
    *("orders.commands.dlq", "orders.events.dlq", "orders.actions.dlq"),
    *("reference.contacts", "reference.articles", "reference.stores"),
)
RECORDED_COLLECTIONS: Final = (
    *("orders", "jobs", "agreements", "enrichments", "links", "held", "deliveries"),
    *("integration_log", "idempotency", "dead_letters"),
)


def collect(stack: RunningStack, journal: Journal) -> History:
    """Read everything; call `wait_until_quiet` first."""
    described = described_topic(stack.kafka)
    with MongoClient[Json](stack.mongo, tz_aware=True) as client:
        database = client[stack.database]
        # Deliveries without their bodies, which are large; the webhooks have them.
        found = {
            name: list(database[name].find({}, {"body": 0, "record": 0}))
            for name in RECORDED_COLLECTIONS
        }
    return History(
        topic_id=str(described.topic_id),
        partitions=len(described.partitions),
        records=read_log(stack.kafka, RECORDED_TOPICS, journal.unreadable_batches),
        documents=found,
        webhooks=received_by_stack(stack),
        calls=journal.calls,
        publications=journal.publications,
        faults=journal.faults,
    )


def described_topic(kafka: KafkaAddress) -> Any:
    admin = admin_client(kafka)
    return admin.describe_topics(TopicCollection([COMMANDS_TOPIC]))[COMMANDS_TOPIC].result()


def received_by_stack(stack: RunningStack) -> list[ReceivedWebhook]:
    received = httpx.get(f"{stack.receiver}/received", timeout=60).json()
    return [
        ReceivedWebhook(
            it["headers"].get("webhook-id", ""),
            datetime.fromisoformat(it["at"]).timestamp(),
            it["verified"],
            webhook_body(it),
        )
        for it in received
    ]


def read_log(
    kafka: KafkaAddress, topics: Collection[str], unreadable: Collection[tuple[str, int, int]] = ()
) -> dict[str, list[LogRecord]]:
    """Return all records by topic, by partition and offset; an *unreadable* batch is one."""
    found: dict[str, list[LogRecord]] = {topic: [] for topic in topics}
    for message in read_all(kafka, *topics, seconds=300):
        found[message.topic()].append(_log_record(message))
    for topic, partition, first in unreadable:
        found[topic].append(_unreadable_batch(kafka, topic, partition, first))
    return {topic: in_log_order(records) for topic, records in found.items()}


def _unreadable_batch(kafka: KafkaAddress, topic: str, partition: int, first: int) -> LogRecord:
    bounds = stored_batch(kafka, topic, partition, first)
    assert bounds is not None, f"no batch at {topic}/{partition}@{first}"
    return LogRecord(
        topic, partition, bounds.last, bounds.at, None, None, readable=False, first_offset=first
    )


def _log_record(message: Message) -> LogRecord:
    record = from_confluent(message)  # which survives headers with a name that isn't UTF-8
    return LogRecord(
        record.topic,
        record.partition,
        record.offset,
        message.timestamp()[1],
        record.key,
        record.value,
        record.headers,
        record.unreadable is None,
    )
