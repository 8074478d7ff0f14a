"""One batch of events: read what it needs, decide, write and publish; all of it repeatable."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from pymongo.asynchronous.database import AsyncDatabase

from enricher import bulk, held, links, metrics, references
from enricher.announce import announcements
from enricher.decision import Facts, Happened, Link, Settled, Stored, Window
from enricher.decode import Unreadable, happened
from enricher.rules import ACTED, CONNECTED, DROPPED, decide, keys_of
from enricher.traces import enrichments, entries, entry, no_longer_held
from order_contracts.topics import ENRICHER
from order_runtime.dead_letters import dead_letter
from order_runtime.mongo import HELD, INTEGRATION_LOG, JOBS, LINKS, ORDERS, Document
from order_runtime.records import Outgoing, Record

PORTION_BYTES = 16 * 1024 * 1024  # a quarter of what the publisher queues


@dataclass(frozen=True, slots=True)
class World:
    """What is stored of what a batch names, by id."""

    orders: Mapping[str, Stored]
    links: Mapping[str, Link]
    settled: Collection[str]
    """The jobs whose enrichment is recorded: everything before that was done."""


class Publishes(Protocol):
    """Where the messages go; all of them are acknowledged when it returns."""

    async def publish_all(self, records: Sequence[Outgoing]) -> None: ...


class Enrich:
    """Handles batches of `orders.events`."""

    def __init__(
        self, database: AsyncDatabase[Document], publisher: Publishes, hold_for: timedelta
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._hold_for = hold_for

    async def __call__(self, records: Sequence[Record], now: datetime) -> None:
        """
        Handle *records* wholly: when this returns, all of it is stored and acknowledged.

        The job's `enrichment` is written after everything else it stands for, so that an event
        whose job has one needs nothing more, and one whose job has none is done again.
        """
        events, refused = _read(records)
        world = await self._world(events)
        todo = [it for it in events if it.event.job_id not in world.settled]
        facts = await self._facts(todo, world)
        settled = settle(todo, world, facts, Window(now, self._hold_for))
        await self._write(settled, now)
        told = [record for it in settled for record in announcements(it.happened, it.decision)]
        await self._publish([*refused, *told])
        await self._settle_jobs([it for it in settled if it.decision.drop is None], now)
        # A job must say that its action is held before it can say that it was dropped, and what
        # dropped it may be called settled only then.
        await self._drop(settled, now)
        await self._settle_jobs([it for it in settled if it.decision.drop is not None], now)
        _count(settled)

    async def _world(self, events: Sequence[Happened]) -> World:
        order_ids = list({it.event.order_id for it in events})
        job_ids = list({it.event.job_id for it in events if it.kind in CONNECTED | ACTED})
        orders, found, settled = await asyncio.gather(
            self._orders(order_ids),
            links.links_of(self._database[LINKS], order_ids),
            self._settled(job_ids),
        )
        return World(orders, found, settled)

    async def _orders(self, order_ids: list[str]) -> dict[str, Stored]:
        living = {"_id": {"$in": order_ids}, "deletedAt": {"$exists": False}}
        fields = ("contactVersion", "registeredBy", "registeredAt")
        found = self._database[ORDERS].find(living, fields)
        return {it["_id"]: Stored(*(it[name] for name in fields)) async for it in found}

    async def _settled(self, job_ids: list[str]) -> frozenset[str]:
        recorded = {"_id": {"$in": job_ids}, "enrichment": {"$exists": True}}
        found = self._database[JOBS].find(recorded, {"_id": 1})
        return frozenset([it["_id"] async for it in found])

    async def _facts(self, events: Iterable[Happened], world: World) -> Facts:
        contacts: set[str] = set()
        articles: set[str] = set()
        stores: set[str] = set()
        for it in events:
            contacts.update(keys_of(it, world.links.get(it.event.order_id)))
            if it.kind in CONNECTED and it.event.order is not None:
                articles.update(line.sku for line in it.event.order.line_items.items)
                stores.update(filter(None, [it.event.order.external_store_id]))
        return await references.facts(self._database, contacts, articles, stores)

    async def _write(self, settled: Sequence[Settled], now: datetime) -> None:
        decisions = [it.decision for it in settled]
        linked = [links.newer(it.link) for it in decisions if it.link is not None]
        gone = [
            links.gone(it.happened.event.order_id, it.decision.unlink)
            for it in settled
            if it.decision.unlink is not None
        ]
        await asyncio.gather(
            bulk.write(self._database[LINKS], [*linked, *gone]),
            bulk.write(
                self._database[HELD],
                [held.hold(it.hold) for it in decisions if it.hold is not None],
            ),
            bulk.write(self._database[INTEGRATION_LOG], list(entries(settled, now))),
        )

    async def _publish(self, records: Sequence[Outgoing]) -> None:
        portion: list[Outgoing] = []
        size = 0
        for record in records:
            portion.append(record)
            size += len(record.value or b"")
            if size > PORTION_BYTES:
                await self._publisher.publish_all(portion)
                portion, size = [], 0
        await self._publisher.publish_all(portion)

    async def _settle_jobs(self, settled: Sequence[Settled], now: datetime) -> None:
        await bulk.write(self._database[JOBS], list(enrichments(settled, now)))

    async def _drop(self, settled: Sequence[Settled], now: datetime) -> None:
        bounds: dict[str, int] = {}
        for it in settled:
            if it.decision.drop is not None:
                order_id = it.happened.event.order_id
                bounds[order_id] = max(bounds.get(order_id, 0), it.decision.drop)
        dropped = await held.drop(self._database[HELD], bounds, now)
        said = [entry(DROPPED, job_id, order_id, None, now) for order_id, job_id in dropped]
        await bulk.write(self._database[INTEGRATION_LOG], said)
        lost = [no_longer_held(job_id, now) for _, job_id in dropped]
        await bulk.write(self._database[JOBS], lost)


def settle(events: Iterable[Happened], world: World, facts: Facts, window: Window) -> list[Settled]:
    """Decide *events* in their order; each sees the links that those before it made."""
    known = dict(world.links)
    settled: list[Settled] = []
    for it in events:
        order_id = it.event.order_id
        decision = decide(it, world.orders.get(order_id), known.get(order_id), facts, window)
        if decision.link is not None:
            known[order_id] = decision.link
        elif decision.unlink is not None:
            known.pop(order_id, None)
        settled.append(Settled(it, decision))
    return settled


def _read(records: Iterable[Record]) -> tuple[list[Happened], list[Outgoing]]:
    """Return the events, and a dead letter for each record that is none."""
    events: list[Happened] = []
    refused: list[Outgoing] = []
    for record in records:
        try:
            events.append(happened(record))
        except Unreadable as error:
            metrics.UNREADABLE.labels(record.topic).inc()
            refused.append(
                dead_letter(record, service=ENRICHER, code="Unreadable", reason=str(error))
            )
    return events, refused


def _count(settled: Sequence[Settled]) -> None:
    decisions = [it.decision for it in settled]
    for counter, values in (
        (metrics.EVENTS, [it.happened.kind for it in settled]),
        (metrics.OUTCOMES, [it.enrichment for it in decisions if it.enrichment is not None]),
        (metrics.ACTIONS, [it.action for it in decisions if it.action is not None]),
    ):
        for value, times in Counter(values).items():
            counter.labels(value).inc(times)
