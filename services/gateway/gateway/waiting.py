"""`Prefer: wait`: one query for all who wait, however many they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from pymongo.errors import PyMongoError

from order_runtime.mongo import Document

EVERY_SECONDS: Final = 0.03

Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, Document]]]


class Waiting:
    """Callers who wait for jobs to be stored."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._waiting: dict[str, asyncio.Future[Document]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def stored(self, job_id: str, seconds: float) -> Document | None:
        """Return the job's document once it is stored, or None after *seconds*."""
        future = self._waiting.get(job_id)
        if future is None:
            future = self._waiting[job_id] = asyncio.get_running_loop().create_future()
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(future)
        except TimeoutError:
            self._waiting.pop(job_id, None)
            return None

    async def _look(self) -> None:
        """Look for all of them, again and again, as long as somebody waits."""
        try:
            while self._waiting:
                await self._once()
                await asyncio.sleep(EVERY_SECONDS)
        finally:
            self._looking = None

    async def _once(self) -> None:
        try:
            found = await self._fetch(list(self._waiting))
        except PyMongoError:
            return  # away: whoever waits is told 202 in the end
        for job_id, document in found.items():
            future = self._waiting.pop(job_id, None)
            if future is not None and not future.done():
                future.set_result(document)
