"""The enricher's handlers on a real MongoDB, with a publisher in memory instead of Kafka."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters import reference_store
from enricher.adapters.healing_queue import HealingQueue
from enricher.app.contact_erasure import ContactErasure
from enricher.app.contact_portions import ContactPortions
from enricher.app.event_handler import EnrichmentPolicy, EventHandler
from enricher.app.healer import Healer
from enricher.app.lost_deletions import LostDeletions
from enricher.app.periodic_sweep import GRACE, Sweeper
from enricher.app.reconciler import Reconciler
from enricher.app.reference_handler import ReferenceHandler
from enricher.app.unfinished_jobs import CaughtUp, UnfinishedJobs
from enricher.domain.contact_matching import ContactKeys
from order_contracts.integration_log import ACTION_DROPPED
from order_contracts.topics import ARTICLES, CONTACTS, ENRICHER, STORES
from order_runtime.documents.jobs import stages_of
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import (
    AGREEMENTS,
    CODEC,
    ENRICHMENTS,
    HEALING,
    HELD,
    INTEGRATION_LOG,
    JOBS,
    LINKS,
    Document,
    async_client,
)
from support.builders.bodies import Json, line, order_body
from support.builders.writer_fixtures import AT, WrittenCommand, read_back, reference_record
from support.fakes.intercepted_database import dying_database
from support.fakes.memory_kafka import MemoryPublisher
from support.harness.migrated_database import lent_database_async

CONFIRM: Json = {"action": "ConfirmOrder", "data": {"a.b": {"$set": 1}}}
NOW = AT + timedelta(minutes=1)
DAY = timedelta(hours=24)
ENRICHER_COLLECTIONS = (JOBS, AGREEMENTS, ENRICHMENTS, LINKS, HELD, INTEGRATION_LOG, HEALING)
KEYS = ContactKeys(b"secret")
TOPIC_IDS = {topic.name: f"id of {topic.name}" for topic in (ARTICLES, CONTACTS, STORES)}


Handler = TypeVar("Handler", bound=EventHandler)


async def at_once(_: datetime) -> bool:
    """Everything that was published before any time is handled."""
    return True


@dataclass
class EnricherHarness:
    """A database of its own, and the enricher's handlers on it."""

    database: AsyncDatabase[Document]
    publisher: MemoryPublisher

    async def add_references(
        self, *records: Record, now: datetime = NOW, database: Any = None
    ) -> None:
        """Handle records of reference topics, one after the other."""
        for record in records:
            await self.handle_references([record], now=now, database=database)

    async def handle_references(
        self, records: Sequence[Record], *, now: datetime = NOW, database: Any = None
    ) -> None:
        """Handle a batch of one reference topic, and do all that it leaves in the queue."""
        await self.record_references(records, now=now, database=database)
        await self.heal(now=now, database=database)

    async def record_references(
        self, records: Sequence[Record], *, now: datetime = NOW, database: Any = None
    ) -> None:
        """Handle a batch of one reference topic, up to its acknowledgement."""
        known = self.database if database is None else database
        await ReferenceHandler(known, self.queue(database), self.erase(database), KEYS, TOPIC_IDS)(
            records, now
        )

    async def heal(self, *, now: datetime = NOW, database: Any = None) -> int:
        """Work on the healing queue until it is empty; return the number of portions."""
        portions, healer = 0, self.healer(database)
        while await healer(now):
            portions += 1
        return portions

    async def handle_references_until_death(self, records: Sequence[Record], writes: int) -> None:
        """Handle them in a worker that dies after *writes* writes."""
        await self.handle_references(records, database=dying_database(self.database, writes))

    async def store_references_only(self, *records: Record) -> None:
        """Store them as a worker does that dies before it puts them into the queue."""
        for record in records:
            await reference_store.store_references(
                self.database, [record], KEYS, TOPIC_IDS[record.topic]
            )

    async def store(self, written: Iterable[WrittenCommand]) -> None:
        """Store orders and jobs as the order-writer does."""
        for it in written:
            await self.database["orders"].replace_one(
                {"_id": it.order["_id"]}, it.order, upsert=True
            )
            await self.database[JOBS].insert_one(dict(it.job))

    def reconciler(self, database: Any = None) -> Reconciler:
        return Reconciler(self.database if database is None else database, self.publisher, KEYS)

    def sweeper(
        self, handled: CaughtUp = at_once, applied: CaughtUp = at_once, **bounds: int
    ) -> Sweeper:
        """Return a sweeper; *handled* and *applied* tell whether the services are up to date."""
        unfinished = UnfinishedJobs(self.database, self.event_handler(), applied, GRACE, **bounds)
        deletions = LostDeletions(self.database, self.erase(), KEYS, applied)
        return Sweeper(self.database, self.reconciler(), unfinished, KEYS, handled, deletions)

    def queue(self, database: Any = None, owner: str = "test") -> HealingQueue:
        return HealingQueue((self.database if database is None else database)[HEALING], owner)

    def healer(self, database: Any = None, owner: str = "test") -> Healer:
        known = self.database if database is None else database
        portions = ContactPortions(known, self.erase(database))
        return Healer(known, self.queue(database, owner), self.reconciler(database), portions, KEYS)

    def event_handler(self, database: Any = None) -> EventHandler:
        """Return a handler of events that does what it leaves in the healing queue, too."""
        handler = self._event_handler(_ThenHealed, database)
        handler.healer = self.healer(database)
        return handler

    def event_handler_alone(self) -> EventHandler:
        """Return a handler that leaves the healing queue as it is."""
        return self._event_handler(EventHandler, None)

    def _event_handler(self, kind: type[Handler], database: Any) -> Handler:
        known = self.database if database is None else database
        reconciler, erase = self.reconciler(database), self.erase(database)
        policy = EnrichmentPolicy(DAY, KEYS)
        return kind(known, self.publisher, reconciler, erase, self.queue(database), policy)

    def erase(self, database: Any = None) -> ContactErasure:
        return ContactErasure(self.database if database is None else database, self.publisher, KEYS)

    async def handle_events(
        self,
        records: Sequence[Record],
        *,
        dies_after: int | None = None,
        now: datetime = NOW,
    ) -> None:
        database = None if dies_after is None else dying_database(self.database, dies_after)
        await self.event_handler(database)(records, now)

    async def handle(self, *written: WrittenCommand) -> list[Record]:
        await self.store(written)
        records = [read_back(it.event) for it in written]
        await self.handle_events(records)
        return records

    async def dump(self) -> dict[str, list[Document]]:
        """Return all documents that the enricher writes, sorted by id."""
        return {
            name: await self.database[name].find().sort("_id").to_list()
            for name in ENRICHER_COLLECTIONS
        }

    async def open_log_codes(self) -> list[tuple[str, str | None]]:
        """Return code and reference of the unresolved integration log entries."""
        still = {"resolvedAt": {"$exists": False}}
        entries = await self.database[INTEGRATION_LOG].find(still).sort("code").to_list()
        return [(it["code"], it.get("reference")) for it in entries]

    async def drop_reasons(self) -> list[str]:
        """Return what the integration log says of why actions were dropped, the oldest first."""
        entries = self.database[INTEGRATION_LOG].find({"code": ACTION_DROPPED}).sort("at")
        return [it["reason"] async for it in entries]

    async def stages(self, written: WrittenCommand) -> tuple[str, str]:
        where = {"_id": written.job_id}
        job = await self.database[JOBS].find_one(where)
        assert job is not None
        stages = stages_of(job, await self.database[ENRICHMENTS].find_one(where))
        return stages.enrichment, stages.action

    async def link(self, order_id: str) -> Document | None:
        return await self.database[LINKS].find_one({"_id": order_id})


class _ThenHealed(EventHandler):
    """Handles events, and then what they left in the healing queue."""

    healer: Healer

    async def __call__(self, records: Sequence[Record], now: datetime) -> None:
        await super().__call__(records, now)
        while await self.healer(now):
            pass


def contact_record(identity: str = "c-1", **keys: str) -> Record:
    value = json.dumps({"contactId": identity, **keys}).encode()
    return reference_record(CONTACTS.name, identity, value)


def article_record(sku: str = "mug") -> Record:
    return reference_record(ARTICLES.name, sku, json.dumps({"sku": sku}).encode())


def order_of_contact(key: str = "c-1", kind: str = "ContactId", **deviations: Any) -> Json:
    named = {"matchKey": key, "matchKeyType": kind}
    return order_body(contact=named, **{"lines": [line(sku="mug")], **deviations})


def store_record(identity: str) -> Record:
    return reference_record(
        STORES.name, identity, json.dumps({"externalStoreId": identity}).encode()
    )


MakeHarness = Callable[[], Awaitable[EnricherHarness]]


@asynccontextmanager
async def enricher_harnesses(mongo: str) -> AsyncIterator[MakeHarness]:
    """Yield a factory of harnesses, each with an empty database of its own."""
    async with AsyncExitStack() as lent:
        client = await lent.enter_async_context(async_client(mongo, "test"))

        async def harness() -> EnricherHarness:
            name = await lent.enter_async_context(
                lent_database_async(mongo, ENRICHER, expires=False)
            )
            return EnricherHarness(
                client.get_database(name, codec_options=CODEC), MemoryPublisher()
            )

        yield harness
