"""The enricher as a process: fed through Kafka, killed, started again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from pymongo.database import Database

from enricher.__main__ import READ
from enricher.adapters.consumer_lag import caught_up
from order_contracts.topics import ARTICLES, CONTACTS, ENRICHED, ENRICHER, STORES, Topic
from order_runtime.kafka.address import librdkafka_config
from order_runtime.kafka.publisher import BatchPublisher
from order_runtime.kafka.records import Outgoing
from order_runtime.mongo.client import CODEC, ENRICHMENTS, JOBS, LINKS, ORDERS, Document, client
from support.builders.bodies import (
    Json,
    article_body,
    contact_body,
    line,
    matching,
    order_body,
    store_body,
    unique,
)
from support.builders.writer_fixtures import WriterFixture, WrittenCommand
from support.stack.running_stack import RunningStack, paused

MANY = 3_000
PATIENCE = 60.0  # seconds


@pytest.fixture
def database(stack: RunningStack) -> Iterator[Database[Document]]:
    with client(stack.mongo, "test") as connected:
        yield connected.get_database(stack.database, codec_options=CODEC)


def eventually(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.1)


def publish(stack: RunningStack, records: Sequence[Outgoing]) -> None:
    assert BatchPublisher(stack.kafka, "test").publish_all(records, PATIENCE)


def reference(topic: Topic, key: str, body: Json) -> Outgoing:
    return Outgoing(topic.name, key.encode(), json.dumps(body).encode())


def registered(count: int, contact: Json, sku: str) -> list[WrittenCommand]:
    body = order_body(contact=matching(contact), lines=[line(sku=sku)])
    now = datetime.now(UTC).replace(microsecond=0)
    return [WriterFixture(unique("order"), at=now).register(body) for _ in range(count)]


def store(database: Database[Document], written: Sequence[WrittenCommand]) -> None:
    database[ORDERS].insert_many([it.order for it in written])
    database[JOBS].insert_many([it.job for it in written])


def enriched(database: Database[Document], written: Sequence[WrittenCommand]) -> int:
    ids = {"$in": [it.job_id for it in written]}
    return database[ENRICHMENTS].count_documents({"_id": ids, "state": "done"})


def announced(stack: RunningStack) -> list[str]:
    """Return the jobs of all that is on `orders.enriched`, repeats too."""
    consumer = Consumer({**librdkafka_config(stack.kafka), "group.id": unique("test")})
    places = [TopicPartition(ENRICHED.name, it, 0) for it in range(ENRICHED.partitions)]
    ends = [consumer.get_watermark_offsets(it, timeout=PATIENCE)[1] for it in places]
    consumer.assign(places)
    jobs: list[str] = []
    deadline = time.monotonic() + PATIENCE
    while len(jobs) < sum(ends) and time.monotonic() < deadline:
        jobs.extend(json.loads(it.value())["jobId"] for it in consumer.consume(1_000, timeout=1))
    consumer.close()
    assert len(jobs) >= sum(ends)
    return jobs


def test_reference_data_and_orders_come_in_through_kafka(
    stack: RunningStack, database: Database[Document]
) -> None:
    contact, article, shop = contact_body(), article_body(), store_body()
    known = [
        reference(CONTACTS, contact["contactId"], contact),
        reference(ARTICLES, article["sku"], article),
        reference(STORES, shop["externalStoreId"], shop),
    ]
    publish(stack, known)
    for name, identity in (
        ("contacts", {"contactId": contact["contactId"]}),
        ("articles", {"_id": article["sku"]}),
        ("stores", {"_id": shop["externalStoreId"]}),
    ):
        eventually(lambda name=name, it=identity: database[name].count_documents(it) == 1, name)  # type: ignore[misc]
    [order] = registered(1, contact, article["sku"])
    store(database, [order])

    publish(stack, [order.event])

    eventually(lambda: enriched(database, [order]) == 1, "the order is enriched")
    link = database[LINKS].find_one({"_id": order.order["_id"]})
    assert link is not None
    assert (link["contactId"], link["missing"]) == (contact["contactId"], [])


@pytest.mark.faults  # the services are killed together in test_kills
def test_killed_with_a_backlog_it_loses_nothing(
    stack: RunningStack, database: Database[Document]
) -> None:
    """What it had not acknowledged comes again; what it had done already stays as it is."""
    contact, article = contact_body(), article_body()
    publish(
        stack,
        [
            reference(CONTACTS, contact["contactId"], contact),
            reference(ARTICLES, article["sku"], article),
        ],
    )
    known = {"contactId": contact["contactId"]}
    eventually(lambda: database["contacts"].count_documents(known) == 1, "the contact is known")
    orders = registered(MANY, contact, article["sku"])
    store(database, orders)

    pid = stack.part("enricher")["pid"]
    publish(stack, [it.event for it in orders])
    eventually(lambda: enriched(database, orders) > 0, "it has begun")
    os.kill(pid, signal.SIGKILL)  # not by the command: it would be done by then
    assert enriched(database, orders) < MANY - 200
    stack.start("enricher")

    eventually(lambda: enriched(database, orders) == MANY, "all are enriched")
    ids = {"$in": [it.order["_id"] for it in orders]}
    linked = {"_id": ids, "contactId": contact["contactId"], "missing": []}
    assert database[LINKS].count_documents(linked) == MANY
    assert {it.job_id for it in orders} <= set(announced(stack))


def test_the_age_of_the_lag_is_known(stack: RunningStack, database: Database[Document]) -> None:
    """Caught up on what is old although there is something new; behind while it stands still."""
    [order] = registered(1, contact_body(), unique("sku"))
    store(database, [order])
    before = datetime.now(UTC)
    publish(stack, [order.event])
    kafka = stack.kafka
    eventually(
        lambda: caught_up(kafka, ENRICHER, READ, datetime.now(UTC)), "the enricher is through"
    )

    with paused(stack, "enricher"):
        publish(stack, [order.event])

        assert caught_up(kafka, ENRICHER, READ, before)
        assert not caught_up(kafka, ENRICHER, READ, datetime.now(UTC) + timedelta(seconds=1))


def test_what_is_known_can_be_counted_and_shown(stack: RunningStack, tmp_path: Path) -> None:
    contact, shop = contact_body(email="Ann@x.se"), store_body()
    file = tmp_path / "reference.ndjson"
    file.write_text(f"{json.dumps(contact)}\n{json.dumps(shop)}\n")
    before = json.loads(stack.orders("reference", "count", "--json").stdout)

    stack.orders("reference", "load", "--wait", str(file))

    after = json.loads(stack.orders("reference", "count", "--json").stdout)
    assert after["contacts"] > before["contacts"]
    assert set(after) >= {"contacts", "articles", "stores", "ordersWaiting", "actionsHeld"}
    shown = stack.orders("reference", "show", "contact", contact["contactId"]).stdout
    assert "Email:ann@x.se" in json.loads(shown)["keys"]
    assert stack.orders("reference", "show", "store", "none", check=False).returncode == 1
