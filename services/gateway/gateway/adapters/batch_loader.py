"""Batching of look-ups: the keys that are asked for during one query are the next query's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

V = TypeVar("V")

MAX_KEYS: Final = 1_000  # in one query


class BatchLoader(Generic[V]):
    """
    Looks up values by key, in one query at a time.

    The query that answers a caller starts after the call, so it sees all that was written before.
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
        return await asyncio.shield(future)  # a cancelled caller must not cancel the others

    async def _run(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[:MAX_KEYS]
                await self._load({key: self._waiting.pop(key) for key in keys})
        finally:
            self._running = None

    async def _load(self, futures: Mapping[str, asyncio.Future[V | None]]) -> None:
        try:
            values = await self._fetch(list(futures))
        except Exception as error:  # noqa: BLE001  it is the callers' to handle
            for future in futures.values():
                future.set_exception(error)
                future.exception()  # retrieved, lest asyncio warn where all callers were cancelled
        else:
            for key, future in futures.items():
                future.set_result(values.get(key))
