"""The sweep: ends what is over, and repairs what a stream lost; every minute, by indexes alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from pymongo.asynchronous.database import AsyncDatabase

from enricher import metrics
from enricher.adapters import batch_snapshot, held_actions, links, unfinished_jobs
from enricher.app.event_handler import EventHandler
from enricher.app.reconciler import Reconciler
from order_runtime.mongo.client import HELD, JOBS, LINKS, Document
from order_runtime.process.logs import log
from order_runtime.process.retry import retry_transient

EVERY: Final = timedelta(minutes=1)
GRACE: Final = timedelta(minutes=5)  # what is younger may still be in somebody's hands
LIMIT: Final = 1_000  # of each kind in one sweep

CaughtUp = Callable[[datetime], Awaitable[bool]]
"""Whether the enricher has handled everything that was published before a time."""


class Suspects:
    """What looks undone, and since when; it is so only if it still does after a while."""

    def __init__(self) -> None:
        self._since: dict[str, datetime] = {}

    def overdue(self, seen: Iterable[str], now: datetime) -> list[str]:
        """Note what was *seen* undone; return what was first seen GRACE ago, and forget it."""
        for it in seen:
            self._since.setdefault(it, now)
        due = [it for it, since in self._since.items() if since <= now - GRACE]
        for it in due:
            del self._since[it]
        return due


class CollectionScan:
    """Goes round a collection, a stretch at a time; a round may take days, and ends nowhere."""

    def __init__(self, stretch: Callable[[str, int], Awaitable[list[tuple[str, str]]]]) -> None:
        self._stretch = stretch
        self._at = ""

    async def next(self) -> list[str]:
        """Return the orders of the next stretch; after the last one it begins again."""
        found = await self._stretch(self._at, LIMIT)
        self._at = found[-1][0] if len(found) == LIMIT else ""
        return [order_id for _, order_id in found]


class Sweeper:
    """
    Looks for what is left undone.

    Every enricher sweeps; that two do the same is harmless, as it is for all that they write.
    """

    def __init__(
        self,
        database: AsyncDatabase[Document],
        enrich: EventHandler,
        tend: Reconciler,
        caught_up: CaughtUp,
    ) -> None:
        self._database = database
        self._enrich = enrich
        self._tend = tend
        self._caught_up = caught_up
        self._orders, self._jobs = Suspects(), Suspects()
        self._waiting = CollectionScan(partial(links.waiting_after, database[LINKS]))
        self._all = CollectionScan(partial(links.links_after, database[LINKS]))

    @asynccontextmanager
    async def beside(self, stop: asyncio.Event) -> AsyncIterator[None]:
        """Sweep meanwhile; if that fails, ask by *stop* for an end and raise what it was."""
        sweeping = asyncio.create_task(self.every_minute())
        sweeping.add_done_callback(lambda _: stop.set())
        try:
            yield
        finally:
            sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping

    async def every_minute(self) -> None:
        """Sweep again and again; what fails ends it."""
        while True:
            await asyncio.sleep(EVERY.total_seconds())
            await retry_transient(lambda: self(datetime.now(UTC)), metrics.RETRIES.inc)

    async def __call__(self, now: datetime) -> None:
        await self._end_what_is_over(now)
        if await self._caught_up(now - GRACE):
            await self._finish(now)
            await self._heal(now)
            await self._redo(now)

    async def _end_what_is_over(self, now: datetime) -> None:
        """Drop the held actions whose window is over: that is no repair, nobody else does it."""
        while over := await held_actions.expired(self._database[HELD], now, LIMIT):
            await self._tend(over, now)

    async def _finish(self, now: datetime) -> None:
        """Publish and tell what a worker had decided when it died, if its record didn't do so."""
        left = await held_actions.unannounced(self._database[HELD], now - GRACE, LIMIT)
        await self._tend(left, now)
        _count("untold", len(left))

    async def _heal(self, now: datetime) -> None:
        """Mend what waits although it needn't, and remove links of orders that are gone."""
        stretch = await self._waiting.next() + await self._gone(await self._all.next())
        wrong = await self._tend.wrong(stretch, now)
        _count("link", await self._tend(self._orders.overdue(wrong, now), now))

    async def _gone(self, order_ids: Sequence[str]) -> list[str]:
        there = await batch_snapshot.stored_orders(self._database, order_ids)
        return [order_id for order_id in order_ids if order_id not in there]

    async def _redo(self, now: datetime) -> None:
        """Handle again the events of jobs that stay due; a job may be older than its event."""
        due = await unfinished_jobs.overdue_jobs(self._database[JOBS], now - GRACE, LIMIT)
        overdue = set(self._jobs.overdue(due, now)).intersection(due)
        await self._enrich.events(await unfinished_jobs.events_of(self._database, overdue), now)
        _count("job", len(overdue))


def _count(what: str, repaired: int) -> None:
    if repaired:
        metrics.REPAIRED.labels(what).inc(repaired)
        log().warning("repaired", what=what, count=repaired)
