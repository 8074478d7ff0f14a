"""Finds the jobs whose event was never handled, by a walk over all jobs, and handles it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters import scan_cursors, unfinished_jobs
from enricher.app.event_handler import EventHandler
from order_runtime.mongo.client import JOBS, UNFINISHED_JOBS, WATERMARKS, Document

PAGE: Final = 1_000  # jobs read at a time, and handled in one sweep
PAGES: Final = 100  # in one sweep: what a hundred thousand commands a minute need

CaughtUp = Callable[[datetime], Awaitable[bool]]
"""Whether everything that was published before a time is handled."""


class UnfinishedJobs:
    """
    Walks the jobs in the order of their commands' times, behind a durable watermark.

    The watermark moves by compare-and-set, so that several enrichers share the walk, and a crash
    leaves nothing out: what lacks an enrichment is noted before. A job that still lacks it after
    *grace* is handled, and again after each *grace* until it is enriched or expires.
    """

    def __init__(
        self,
        database: AsyncDatabase[Document],
        event_handler: EventHandler,
        applied: CaughtUp,
        grace: timedelta,
        *,
        page: int = PAGE,
        pages: int = PAGES,
    ) -> None:
        """*applied* tells whether the order-writer has stored the jobs of all earlier commands."""
        self._database = database
        self._event_handler = event_handler
        self._applied = applied
        self._grace = grace
        self._page, self._pages = page, pages

    async def __call__(self, now: datetime) -> int:
        """Return how many events were handled."""
        if await self._applied(now - self._grace):
            await self._walk(now)
        return await self._handle_overdue(now)

    async def _walk(self, now: datetime) -> None:
        """Note what is unfinished up to *grace* ago, as far as one sweep goes."""
        for _ in range(self._pages):
            if not await self._pass_page(now):
                return

    async def _pass_page(self, now: datetime) -> bool:
        """Return whether to go on; another enricher that moved the watermark does."""
        marks = self._database[WATERMARKS]
        seen = await scan_cursors.cursor_of(marks, JOBS)
        page = await unfinished_jobs.next_page(self._database, seen, now - self._grace, self._page)
        if page is None:
            return False
        await unfinished_jobs.note(self._database, page.unfinished, now)
        moved = await scan_cursors.move_cursor(marks, JOBS, seen, page.cursor)
        return moved and page.full

    async def _handle_overdue(self, now: datetime) -> int:
        """
        Handle the events of jobs that stay without enrichment.

        A job's command is accepted, which is its time, long before its event may be published. What
        an operator asked to have handled again is, also where it has an enrichment.
        """
        noted = self._database[UNFINISHED_JOBS]
        due = await unfinished_jobs.take_overdue(noted, now - self._grace, now, self._page)
        if not due:
            return 0
        again = {it for it, asked in due.items() if asked}
        finished = await unfinished_jobs.finished_of(self._database, due) - again
        events = await unfinished_jobs.events_of(self._database, due.keys() - finished)
        handled = await self._event_handler.repair(events, now, again)
        finished = await unfinished_jobs.finished_of(self._database, due)
        await unfinished_jobs.forget(noted, finished)
        return handled
