"""The enricher's parts on a database of their own, without Kafka: what they write and publish."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from enricher.__main__ import ensure_indexes
from enricher.adapters import reference_store
from enricher.app.contact_erasure import ContactErasure
from enricher.app.event_handler import EnrichmentPolicy, EventHandler
from enricher.app.reconciler import Reconciler
from enricher.app.reference_handler import ReferenceHandler
from enricher.domain.contact_matching import ContactKeys
from order_contracts.topics import ARTICLES, CONTACTS, STORES
from order_runtime.documents.jobs import stages_of
from order_runtime.kafka.records import Outgoing, Record
from order_runtime.mongo.client import (
    CODEC,
    HELD,
    INTEGRATION_LOG,
    JOBS,
    LINKS,
    Document,
    async_client,
)
from support.builders.bodies import Json, line, order_body, unique
from support.builders.writer_fixtures import AT, WrittenCommand, reference, taken

CONFIRM: Json = {"action": "ConfirmOrder", "data": {"a.b": {"$set": 1}}}
NOW = AT + timedelta(minutes=1)
DAY = timedelta(hours=24)
WRITTEN = (JOBS, LINKS, HELD, INTEGRATION_LOG)
KEYS = ContactKeys(b"secret")
TOPIC_IDS = {topic.name: f"id of {topic.name}" for topic in (ARTICLES, CONTACTS, STORES)}


class WorkerDied(Exception):
    """The process, at this point."""


@dataclass
class Topics:
    """Takes what is published; dies instead at the call that it is told to."""

    records: list[Outgoing] = field(default_factory=list)
    dies_at: int | None = None
    calls: int = 0

    async def publish_all(self, records: Sequence[Outgoing]) -> None:
        self.calls += 1
        if self.calls == self.dies_at:
            raise WorkerDied
        self.records.extend(records)

    def ids(self) -> list[bytes]:
        return [dict(record.headers)["ce_id"] or b"" for record in self.records]

    def on(self, topic: str) -> list[Any]:
        return [json.loads(it.value or b"null") for it in self.records if it.topic == topic]


class Watched:
    """A database that awaits *before* each call: `find`, `bulk_write` or `update_many`."""

    def __init__(
        self, database: AsyncDatabase[Document], before: Callable[[str], Awaitable[None]]
    ) -> None:
        self._database = database
        self._before = before

    def __getitem__(self, name: str) -> Any:
        return _WatchedCollection(self._database[name], self._before)


class _WatchedCollection:
    def __init__(self, collection: Any, before: Callable[[str], Awaitable[None]]) -> None:
        self._collection = collection
        self._before = before

    def find(self, *args: Any, **options: Any) -> Any:
        return _WatchedCursor(self._collection.find(*args, **options), self._before)

    async def bulk_write(self, *args: Any, **options: Any) -> Any:
        await self._before("bulk_write")
        return await self._collection.bulk_write(*args, **options)

    async def update_many(self, *args: Any) -> Any:
        await self._before("update_many")
        return await self._collection.update_many(*args)


class _WatchedCursor:
    def __init__(self, cursor: Any, before: Callable[[str], Awaitable[None]]) -> None:
        self._cursor = cursor
        self._before = before

    async def __aiter__(self) -> AsyncIterator[Document]:
        await self._before("find")
        async for document in self._cursor:
            yield document


def mortal(database: AsyncDatabase[Document], writes: int) -> Watched:
    """Return a database on which the process dies before its next write after *writes*."""
    left = writes

    async def before(call: str) -> None:
        nonlocal left
        if call != "find":
            left -= 1
            if left < 0:
                raise WorkerDied

    return Watched(database, before)


@dataclass
class EnricherHarness:
    """A database of its own, and the enricher's parts on it."""

    database: AsyncDatabase[Document]
    topics: Topics

    async def knows(self, *records: Record, now: datetime = NOW, database: Any = None) -> None:
        """Handle records of reference topics, one after the other."""
        for record in records:
            await self.arrive([record], now=now, database=database)

    async def arrive(
        self, records: Sequence[Record], *, now: datetime = NOW, database: Any = None
    ) -> None:
        """Handle a batch of one reference topic."""
        known = self.database if database is None else database
        await ReferenceHandler(known, self.tend(database), self.erase(database), KEYS, TOPIC_IDS)(
            records, now
        )

    async def dying(self, records: Sequence[Record], writes: int) -> None:
        """Handle them as a process does that dies before its next write after *writes*."""
        await self.arrive(records, database=mortal(self.database, writes))

    async def keeps(self, *records: Record) -> None:
        """Only keep them, as a worker does that dies before it looks at what waits for them."""
        for record in records:
            await reference_store.store_references(
                self.database, [record], KEYS, TOPIC_IDS[record.topic]
            )

    async def store(self, written: Iterable[WrittenCommand]) -> None:
        """Do to the database what the order-writer does."""
        for it in written:
            await self.database["orders"].replace_one(
                {"_id": it.order["_id"]}, it.order, upsert=True
            )
            await self.database[JOBS].insert_one(dict(it.job))

    def tend(self, database: Any = None) -> Reconciler:
        return Reconciler(self.database if database is None else database, self.topics, KEYS)

    def enriching(self, database: Any = None) -> EventHandler:
        known = self.database if database is None else database
        tend, erase = self.tend(database), self.erase(database)
        return EventHandler(known, self.topics, tend, erase, EnrichmentPolicy(DAY, KEYS))

    def erase(self, database: Any = None) -> ContactErasure:
        return ContactErasure(self.database if database is None else database, self.topics, KEYS)

    async def enrich(
        self, records: Sequence[Record], *, dying: int | None = None, now: datetime = NOW
    ) -> None:
        database = None if dying is None else mortal(self.database, dying)
        await self.enriching(database)(records, now)

    async def handle(self, *written: WrittenCommand) -> list[Record]:
        await self.store(written)
        records = [taken(it.event) for it in written]
        await self.enrich(records)
        return records

    async def dump(self) -> dict[str, list[Document]]:
        """Return all that the enricher writes, in an order that depends on nothing."""
        return {name: await self.database[name].find().sort("_id").to_list() for name in WRITTEN}

    async def codes(self) -> list[tuple[str, str | None]]:
        """Return the entries of the log that nobody resolved."""
        still = {"resolvedAt": {"$exists": False}}
        entries = await self.database[INTEGRATION_LOG].find(still).sort("code").to_list()
        return [(it["code"], it.get("reference")) for it in entries]

    async def stages(self, written: WrittenCommand) -> tuple[str, str]:
        job = await self.database[JOBS].find_one({"_id": written.job_id})
        assert job is not None
        stages = stages_of(job)
        return stages.enrichment, stages.action

    async def link(self, order_id: str) -> Document | None:
        return await self.database[LINKS].find_one({"_id": order_id})


def contact(identity: str = "c-1", **keys: str) -> Record:
    value = json.dumps({"contactId": identity, **keys}).encode()
    return reference(CONTACTS.name, identity, value)


def article(sku: str = "mug") -> Record:
    return reference(ARTICLES.name, sku, json.dumps({"sku": sku}).encode())


def body(key: str = "c-1", kind: str = "ContactId", **deviations: Any) -> Json:
    named = {"matchKey": key, "matchKeyType": kind}
    return order_body(contact=named, **{"lines": [line(sku="mug")], **deviations})


def store(identity: str) -> Record:
    return reference(STORES.name, identity, json.dumps({"externalStoreId": identity}).encode())


MakeHarness = Callable[[], Awaitable[EnricherHarness]]


@asynccontextmanager
async def harnesses(mongo: str) -> AsyncIterator[MakeHarness]:
    """Give what makes places, and remove them afterwards."""
    made: list[str] = []
    async with async_client(mongo, "test") as client:

        async def place() -> EnricherHarness:
            made.append(unique("enricher"))
            database = client.get_database(made[-1], codec_options=CODEC)
            await ensure_indexes(database)
            # The tests' day is long past: what it held would expire under their hands.
            for name in (HELD, "contacts", "erasures"):
                await database[name].drop_index("expireAt_1")
            return EnricherHarness(database, Topics())

        try:
            yield place
        finally:
            for name in made:
                await client.drop_database(name)
