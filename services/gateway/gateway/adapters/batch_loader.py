"""Many look-ups, few queries: what is asked for while a query runs is asked for in the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

V = TypeVar("V")

MAX_KEYS: Final = 1_000  # in one query


class BatchLoader(Generic[V]):
    """
    Looks up values by key.

    A query that answers a caller always began after the caller asked, so that nothing written
    before is missed. One query runs at a time.
    """

    def __init__(self, fetch: Callable[[Sequence[str]], Awaitable[Mapping[str, V]]]) -> None:
        self._fetch = fetch
        self._waiting: dict[str, asyncio.Future[V | None]] = {}
        self._running: asyncio.Task[None] | None = None

    async def get(self, key: str) -> V | None:
        """Return the value of *key*, or None; raises what the query raised."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await asyncio.shield(future)  # one caller that leaves must not take others along

    async def _run(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[:MAX_KEYS]
                await self._answer({key: self._waiting.pop(key) for key in keys})
        finally:
            self._running = None

    async def _answer(self, asked: Mapping[str, asyncio.Future[V | None]]) -> None:
        try:
            found = await self._fetch(list(asked))
        except Exception as error:  # noqa: BLE001  it is the callers' to handle
            for future in asked.values():
                future.set_exception(error)
                future.exception()  # seen: a caller may have left
        else:
            for key, future in asked.items():
                future.set_result(found.get(key))
