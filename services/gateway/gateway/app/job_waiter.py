"""`Prefer: wait`: one query for all who wait, however many they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from pymongo.errors import PyMongoError

from order_runtime.mongo.client import Document

EVERY_SECONDS: Final = 0.03

Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, Document]]]


class JobWaiter:
    """Callers who wait for jobs to be stored."""

    def __init__(self, fetch: Fetch, leaving: Callable[[], bool] = lambda: False) -> None:
        self._fetch, self._leaving = fetch, leaving
        self._waiting: dict[str, set[asyncio.Future[Document | None]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def stored(self, job_id: str, seconds: float) -> Document | None:
        """Return the job's document once it is stored; None after *seconds*, or when leaving."""
        future: asyncio.Future[Document | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job_id, set()).add(future)
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            self._forget(job_id, future)

    def _forget(self, job_id: str, future: asyncio.Future[Document | None]) -> None:
        """Drop one who waits; others may wait for the same job."""
        others = self._waiting.get(job_id, set())
        others.discard(future)
        if not others:
            self._waiting.pop(job_id, None)

    async def _look(self) -> None:
        """Look for all of them, again and again, as long as somebody waits."""
        try:
            while self._waiting:
                self._tell(await self._found())
                await asyncio.sleep(EVERY_SECONDS)
        finally:
            self._looking = None

    async def _found(self) -> Mapping[str, Document | None]:
        if self._leaving():
            return dict.fromkeys(self._waiting)
        try:
            return await self._fetch(list(self._waiting))
        except PyMongoError:
            return {}  # away: whoever waits is told 202 in the end

    def _tell(self, found: Mapping[str, Document | None]) -> None:
        for job_id, document in found.items():
            for future in self._waiting.pop(job_id, ()):
                if not future.done():
                    future.set_result(document)
