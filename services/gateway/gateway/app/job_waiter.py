"""`Prefer: wait`: polls MongoDB for what clients wait for of jobs, with one query at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from gateway.adapters.read_store import DatabaseUnavailable
from order_runtime.documents.document import Document

POLL_SECONDS: Final = 0.01
"""Between two queries; most jobs are stored within two or three of these."""
LATER_POLL_SECONDS: Final = 0.03
"""Where nobody has begun to wait for as long as RECENT_SECONDS."""
RECENT_SECONDS: Final = 0.2

Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, Document]]]


class JobWaiter:
    """
    Waits for documents with the ids of jobs: the jobs themselves, or their enrichments.

    While the process is *leaving* nobody waits: all are answered None at the next poll.
    """

    def __init__(self, fetch: Fetch, leaving: Callable[[], bool] = lambda: False) -> None:
        self._fetch, self._leaving = fetch, leaving
        self._waiting: dict[str, set[asyncio.Future[Document | None]]] = {}
        self._poller: asyncio.Task[None] | None = None
        self._asked_at = 0.0
        """When somebody began to wait, by the event loop's clock."""

    async def wait(self, job_id: str, seconds: float) -> Document | None:
        """Return the document once it is stored; None after *seconds*, or when leaving."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Document | None] = loop.create_future()
        self._asked_at = loop.time()
        self._waiting.setdefault(job_id, set()).add(future)
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll())
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            self._forget(job_id, future)

    def _forget(self, job_id: str, future: asyncio.Future[Document | None]) -> None:
        """Remove one waiter; others may wait for the same job."""
        others = self._waiting.get(job_id, set())
        others.discard(future)
        if not others:
            self._waiting.pop(job_id, None)

    async def _poll(self) -> None:
        try:
            while self._waiting:
                self._resolve(await self._documents())
                waited = asyncio.get_running_loop().time() - self._asked_at
                recent = waited < RECENT_SECONDS
                await asyncio.sleep(POLL_SECONDS if recent else LATER_POLL_SECONDS)
        finally:
            self._poller = None

    async def _documents(self) -> Mapping[str, Document | None]:
        """Return the documents that are stored by now, or None for all if leaving."""
        if self._leaving():
            return dict.fromkeys(self._waiting)
        try:
            return await self._fetch(list(self._waiting))
        except DatabaseUnavailable:
            return {}  # polled again, until the waiters' time is over

    def _resolve(self, documents: Mapping[str, Document | None]) -> None:
        for job_id, document in documents.items():
            for future in self._waiting.pop(job_id, ()):
                if not future.done():
                    future.set_result(document)
