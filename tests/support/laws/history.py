"""
Everything that happened, collected when the system is quiet: what the load saw, what Kafka holds,
what the receiver got, what MongoDB stores, and what was broken meanwhile.

    journal = Journal()                      # the load and the faults are written into it
    ... load, faults ...
    quiet(stack)                             # a bounded wait, fails with what still moves
    history = collect(stack, journal)        # or collect(...).of(order_ids) on a shared stack
    violations = check(history)              # laws.py
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import httpx
from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient
from pymongo import MongoClient
from pymongo.database import Database

from support.builders.bodies import Json
from support.laws.records import Record, records_of
from support.load.journal import Call, Fault, Journal, Publication
from support.model.canonical import digest, dump
from support.stack.hooks import body_of
from support.stack.running_stack import RunningStack
from support.stack.topics import COMMANDS, lag

TOPICS: Final = (
    COMMANDS,
    *("orders.events", "orders.enriched", "orders.actions", "orders.deliveries"),
    *("orders.commands.dlq", "orders.events.dlq", "orders.actions.dlq"),
    *("reference.contacts", "reference.articles", "reference.stores"),
)
COLLECTIONS: Final = (
    *("orders", "jobs", "links", "held", "deliveries", "integration_log", "idempotency"),
)
READS: Final = (
    ("order-writer", COMMANDS),
    *(("enricher", topic) for topic in ("reference.contacts", "reference.articles")),
    *(("enricher", topic) for topic in ("reference.stores", "orders.events")),
    ("action-trigger", "orders.actions"),
)
"""Each group with what it reads, from the first to the last that a command meets."""
GROUPS: Final = ("order-writer", "enricher", "action-trigger")


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook as the automation trigger received it; `at` in seconds since 1970."""

    id: str
    at: float
    verified: bool
    body: Json

    @property
    def order_id(self) -> str:
        found: str = self.body["data"]["order"]["orderId"]
        return found


@dataclass(frozen=True, slots=True)
class History:
    topic_id: str
    """The id that the broker gave `orders.commands`: ids of positions are derived from it."""
    partitions: int
    records: Mapping[str, Sequence[Record]]
    """By topic, partition by partition in the order of their offsets."""
    documents: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    """By collection."""
    hooks: Sequence[Hook] = ()
    calls: Sequence[Call] = ()
    publications: Sequence[Publication] = ()
    faults: Sequence[Fault] = ()

    def of(self, order_ids: Collection[str]) -> History:
        """Return what concerns these orders alone; reference data stays whole."""
        wanted = set(order_ids)
        keys = {order_id.encode() for order_id in wanted}
        documents = {
            name: [it for it in found if it.get("_id" if name in BY_ID else "orderId") in wanted]
            for name, found in self.documents.items()
        }
        jobs = {it["_id"] for it in documents.get("jobs", ())}
        claims = self.documents.get("idempotency", ())
        return replace(
            self,
            records={
                topic: found
                if topic.startswith("reference.")
                else [it for it in found if it.key in keys]
                for topic, found in self.records.items()
            },
            documents=documents | {"idempotency": [it for it in claims if it["jobId"] in jobs]},
            hooks=[it for it in self.hooks if it.order_id in wanted],
            calls=[it for it in self.calls if wanted.issuperset(it.order_ids)],
            publications=[it for it in self.publications if it.key in keys],
        )


BY_ID: Final = frozenset({"orders", "links"})


def collect(stack: RunningStack, journal: Journal) -> History:
    """Read all there is; asks for a quiet system, see `quiet`."""
    described = described_topic(stack.kafka)
    with MongoClient[Json](stack.mongo, tz_aware=True) as client:
        database = client[stack.database]
        # The bodies of deliveries are the receiver's to judge; large, and on Kafka as well.
        found = {
            name: list(database[name].find({}, {"body": 0, "record": 0})) for name in COLLECTIONS
        }
    return History(
        topic_id=str(described.topic_id),
        partitions=len(described.partitions),
        records=records_of(stack.kafka, TOPICS),
        documents=found,
        hooks=hooks_of(stack),
        calls=journal.calls,
        publications=journal.publications,
        faults=journal.faults,
    )


def described_topic(kafka: str) -> Any:
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    return admin.describe_topics(TopicCollection([COMMANDS]))[COMMANDS].result()


def hooks_of(stack: RunningStack) -> list[Hook]:
    received = httpx.get(f"{stack.receiver}/received", timeout=60).json()
    return [
        Hook(
            it["headers"].get("webhook-id", ""),
            datetime.fromisoformat(it["at"]).timestamp(),
            it["verified"],
            body_of(it),
        )
        for it in received
    ]


def stored_dump(stack: RunningStack) -> str:
    """Return the canonical text of the database, which a replay from offset 0 leaves as it is."""
    with MongoClient[Json](stack.mongo) as client:
        database = client[stack.database]
        return dump({name: list(database[name].find()) for name in COLLECTIONS})


def stored_hash(stack: RunningStack) -> str:
    return digest(stored_dump(stack))


def quiet(
    stack: RunningStack, order_ids: Collection[str] | None = None, *, seconds: float = 120
) -> None:
    """Wait until nothing more will happen by itself; fails with what still moves."""
    end = time.monotonic() + seconds
    while what := moving(stack, order_ids):
        assert time.monotonic() < end, f"not quiet within {seconds} s: {what}"
        time.sleep(0.2)


def moving(stack: RunningStack, order_ids: Collection[str] | None = None) -> str | None:
    """
    Return what still moves: a group that is behind, else jobs and deliveries that are open.

    Looked at downstream, so that nothing slips from what was looked at to what was passed.
    """
    return behind(stack) or open_work(stack, order_ids)


def behind(stack: RunningStack, groups: Collection[str] = GROUPS) -> str | None:
    """Return a group that has not committed all there is to read, and by how much."""
    for group, topic in READS:
        if group in groups and (left := lag(stack.kafka, group, topic)):
            return f"{group} is {left} behind on {topic}"
    return None


def open_work(
    stack: RunningStack,
    order_ids: Collection[str] | None = None,
    kinds: Collection[str] = ("jobs", "deliveries"),
) -> str | None:
    """Return the jobs and deliveries, of these orders or of all, that are still to end."""
    with MongoClient[Json](stack.mongo) as client:
        database = client[stack.database]
        only: Json = {} if order_ids is None else {"orderId": {"$in": list(order_ids)}}
        counts = {
            name: _count(database, name, only | where)
            for name, where in OPEN.items()
            if name.startswith(tuple(kinds))
        }
    left = {name: count for name, count in counts.items() if count}
    return str(left) if left else None


def _count(database: Database[Json], name: str, where: Json) -> int:
    return database[name.split(maxsplit=1)[0]].count_documents(where)


OPEN: Final[Mapping[str, Json]] = {
    "jobs not enriched": {
        "failure": {"$exists": False},
        "enrichment": {"$exists": False},
        "aliasOf": {"$exists": False},
        "$or": [
            {"action": {"$exists": True}},
            {
                "version": {"$exists": True},
                "operation": {"$in": ["RegisterOrder", "ReplaceOrder"]},
            },
        ],
    },
    "jobs with an action on its way": {
        "enrichment.action": {"$in": ["fired", "pending"]},
        "delivery": {"$exists": False},
    },
    "deliveries open": {"$or": [{"state": "pending"}, {"announced": False}]},
}
