"""The sweep: every minute drops expired held actions and repairs what event handling missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from enricher import metrics
from enricher.adapters import batch_snapshot, held_action_store, links, scan_cursors
from enricher.adapters.queued_orders import queued_orders
from enricher.app.reconciler import Reconciler
from enricher.app.unfinished_jobs import CaughtUp, UnfinishedJobs
from enricher.domain.contact_matching import ContactKeys
from enricher.log_events import REPAIRED
from order_runtime.mongo import erasure_store
from order_runtime.mongo.client import ERASURES, HELD, LINKS, WATERMARKS, Document
from order_runtime.process.logs import log
from order_runtime.process.retry import retry_transient

EVERY: Final = timedelta(minutes=1)
GRACE: Final = timedelta(minutes=5)  # what is younger may still be in a worker's batch
LIMIT: Final = 1_000  # of each kind in one sweep

ReadPage = Callable[[str, int], Awaitable[list[tuple[str, str]]]]
"""Reads a page of a collection after a cursor, of at most so many: each as (cursor, orderId)."""
Repair = Callable[[datetime], Awaitable[int]]
"""Does what else is found undone at a time; returns how much."""
ReadLinks = Callable[[AsyncCollection[Document], str, int], Awaitable[list[tuple[str, str]]]]


class Suspects:
    """What seems unfinished, and since when; it counts only if it still does after GRACE."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}

    def overdue(self, seen: Iterable[str], now: datetime) -> list[str]:
        """Add what was *seen* unfinished; remove and return what was first seen GRACE ago."""
        for it in seen:
            self._since.setdefault(it, now)
        due = [it for it, since in self._since.items() if since <= now - GRACE]
        for it in due:
            del self._since[it]
        return due


class CollectionScan:
    """
    Reads a collection page by page, over and over; one round may take days.

    All enrichers share the round: its place is kept in the database, and who moves it on has the
    page. What one reads and dies with is met in the next round.
    """

    def __init__(
        self, watermarks: AsyncCollection[Document], name: str, read_page: ReadPage
    ) -> None:
        self._watermarks = watermarks
        self._name = name
        self._read_page = read_page

    async def next_page(self) -> list[str]:
        """Return the orders of the next page; the last page is followed by the first."""
        while True:
            cursor = await scan_cursors.cursor_of(self._watermarks, self._name)
            page = await self._read_page(cursor, LIMIT)
            following = page[-1][0] if len(page) == LIMIT else ""
            if await scan_cursors.move_cursor(self._watermarks, self._name, cursor, following):
                return [order_id for _, order_id in page]


class Sweeper:
    """
    Finds and finishes what event handling left unfinished.

    Every enricher sweeps: all its writes are idempotent, so that two may repair the same.
    """

    def __init__(
        self,
        database: AsyncDatabase[Document],
        reconciler: Reconciler,
        unfinished_jobs: UnfinishedJobs,
        keys: ContactKeys,
        caught_up: CaughtUp,
        lost_deletions: Repair,
    ) -> None:
        self._database = database
        self._lost_deletions = lost_deletions
        self._unfinished_jobs = unfinished_jobs
        self._reconciler = reconciler
        self._keys = keys
        self._caught_up = caught_up
        self._suspect_orders = Suspects()
        self._waiting_orders = self._scan("waiting orders", links.waiting_after)
        self._linked_orders = self._scan("linked orders", links.links_after)

    def _scan(self, name: str, read_page: ReadLinks) -> CollectionScan:
        read = partial(read_page, self._database[LINKS])
        return CollectionScan(self._database[WATERMARKS], name, read)

    @asynccontextmanager
    async def running(self, stop: asyncio.Event) -> AsyncIterator[None]:
        """Sweep in the background; an exception sets *stop* and is raised on exit."""
        sweeping = asyncio.create_task(self.every_minute())
        sweeping.add_done_callback(lambda _: stop.set())
        try:
            yield
        finally:
            sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping

    async def every_minute(self) -> None:
        """Sweep for good; transient errors are retried, any other one is raised."""
        while True:
            await asyncio.sleep(EVERY.total_seconds())
            await retry_transient(lambda: self(datetime.now(UTC)), metrics.RETRIES.inc)

    async def __call__(self, now: datetime) -> None:
        await self._drop_expired(now)
        if await self._caught_up(now - GRACE):
            await self._announce_ended(now)
            await self._reconcile_suspects(now)
            _count("job", await self._unfinished_jobs(now))
            _count("erasure", await self._lost_deletions(now))

    async def _drop_expired(self, now: datetime) -> None:
        """Drop the held actions whose window is over: no repair, as nothing else drops them."""
        async for order_ids in held_action_store.expired(self._database[HELD], now, LIMIT):
            await self._reconciler(order_ids, now)

    async def _announce_ended(self, now: datetime) -> None:
        """Publish and record the ends of held actions whose worker died before it did so."""
        left = held_action_store.unannounced(self._database[HELD], now - GRACE, LIMIT)
        async for order_ids in left:
            await self._reconciler(order_ids, now)
            _count("untold", len(order_ids))

    async def _reconcile_suspects(self, now: datetime) -> None:
        """Heal links that wait for what exists; remove the links of orders that were deleted."""
        waiting = await self._waiting_orders.next_page()
        deleted = await self._deleted(await self._linked_orders.next_page())
        found = await self._reconciler.examine(waiting + deleted, now)
        # Kept for as long as an order waits for the key: its last carrier may lose it later.
        keep = erasure_store.keep_erasures(found.outlived_erasures)
        await self._database[ERASURES].update_many(*keep)
        overdue = self._suspect_orders.overdue(found.inconsistent, now)
        _count("link", await self._reconciler(await self._not_queued(overdue), now))

    async def _not_queued(self, order_ids: Sequence[str]) -> list[str]:
        """Return *order_ids* without those that are in the healing queue, which are no repairs."""
        found = await links.links_of(self._database[LINKS], order_ids)
        queued = await queued_orders(self._database, list(found.values()), self._keys)
        return [it for it in order_ids if it not in queued]

    async def _deleted(self, order_ids: Sequence[str]) -> list[str]:
        existing = await batch_snapshot.existing_orders(self._database, order_ids)
        return [order_id for order_id in order_ids if order_id not in existing]


def _count(what: str, repaired: int) -> None:
    if repaired:
        metrics.REPAIRED.labels(what).inc(repaired)
        log().warning(REPAIRED, what=what, count=repaired)
