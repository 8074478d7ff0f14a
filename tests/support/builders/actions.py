"""Actions as the enricher would publish them, and what the action-trigger makes of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx
from confluent_kafka import Consumer, Message, TopicPartition
from pymongo import MongoClient

from order_contracts.cloudevents import Envelope
from order_contracts.decoding import parse, read
from order_contracts.events import OrderAction
from order_contracts.identity import action_id, event_id
from order_contracts.job import Operation
from order_contracts.order import ActionName, ActionRequest, Order
from order_contracts.topics import ACTIONS, ENRICHER
from order_runtime.documents.jobs import LedgerEntry, entry_document
from order_runtime.documents.orders import LiveOrder
from order_runtime.kafka.publisher import BatchPublisher
from order_runtime.kafka.records import Outgoing
from order_runtime.mongo.client import JOBS, Document
from support.builders.bodies import Json, order_body, unique

ASKED_AT = datetime(2025, 11, 28, 10, 0, 1, tzinfo=UTC)
T = TypeVar("T")


def order_action(
    order_id: str | None = None, action: ActionName = ActionName.CONFIRM_ORDER, **deviations: Any
) -> OrderAction:
    """Give an action of a new job; its order is valid and linked to a contact."""
    job_id = unique("job")
    order = read(Order, parse(json.dumps(order_body(order_id, **deviations)).encode()))
    live = LiveOrder(
        order=order,
        version=1,
        contact_version=1,
        contact_since=1,
        contact_since_at=ASKED_AT,
        job_id=job_id,
        registered_by=job_id,
        registered_at=ASKED_AT,
        updated_at=ASKED_AT,
    )
    return OrderAction(
        action_id=action_id(job_id),
        job_id=job_id,
        order_id=order.order_id,
        action=action,
        language="nl",
        data={"coupon": "A1"},
        order=live.view("contact-1"),
        contact_id="contact-1",
    )


def message(action: OrderAction) -> Outgoing:
    envelope = Envelope(
        id=event_id(action.job_id, action.TYPE),
        source=f"/{ENRICHER}",
        type=action.TYPE,
        time=ASKED_AT,
        subject=action.order_id,
    )
    return Outgoing(ACTIONS.name, action.order_id.encode(), action.to_json(), envelope.headers())


def job_document(action: OrderAction) -> Document:
    """Give the ledger's entry that the order-writer would have made."""
    request = ActionRequest(action=action.action)
    entry = LedgerEntry(
        job_id=action.job_id,
        order_id=action.order_id,
        operation=Operation.REGISTER,
        fingerprint="f",
        at=ASKED_AT,
        version=1,
        action=request,
    )
    now = datetime.now(UTC)  # the real one expires from the collection
    return entry_document(entry) | {"expireAt": now.replace(year=now.year + 1)}


def publish(kafka: str, records: Iterable[Outgoing]) -> None:
    assert BatchPublisher(kafka, "test").publish_all(list(records), 20)


def until(look: Callable[[], T], seconds: float = 30.0) -> T:
    """Look again until there is something true to see; it is given back."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"Not seen within {seconds:.0f} s"
        time.sleep(0.05)
    return seen


def put_jobs(mongo: str, database: str, actions: Iterable[OrderAction]) -> None:
    with MongoClient[Document](mongo, timeoutMS=10_000) as client:
        client[database][JOBS].insert_many([job_document(action) for action in actions])


def documents(mongo: str, database: str, collection: str, where: Document) -> list[Document]:
    with MongoClient[Document](mongo, timeoutMS=10_000, tz_aware=True) as client:
        return list(client[database][collection].find(where))


def received(receiver: str) -> list[Json]:
    found: list[Json] = httpx.get(f"{receiver}/received", timeout=20).json()
    return found


def received_ids(receiver: str) -> list[str]:
    return [item["headers"]["webhook-id"] for item in received(receiver)]


def behave(receiver: str, **wish: Any) -> None:
    httpx.put(f"{receiver}/behaviour", json=wish, timeout=10).raise_for_status()


def records_of(kafka: str, topic: str, key: str, count: int) -> list[Message]:
    """Read the topic from its beginning until *count* records of *key* were seen."""
    consumer = Consumer(
        {"bootstrap.servers": kafka, "group.id": unique("group"), "enable.auto.commit": False}
    )
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        seen: list[Message] = []
        deadline = time.monotonic() + 30
        while len(seen) < count and time.monotonic() < deadline:
            found = consumer.consume(500, 0.2)
            seen += [item for item in found if item.error() is None and item.key() == key.encode()]
        return seen
    finally:
        consumer.close()


def headers_of(record: Message) -> dict[str, str]:
    return {name: value.decode() for name, value in record.headers() or ()}


def headers_sent(record: Outgoing) -> dict[str, str]:
    return {name: (value or b"").decode() for name, value in record.headers}


def json_of(record: Message) -> Json:
    found: Json = json.loads(record.value())
    return found
