"""Batching of look-ups: the keys that are asked for during one query are the next query's."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
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
        self._waiting: defaultdict[str, list[asyncio.Future[V | None]]] = defaultdict(list)
        self._running: asyncio.Task[None] | None = None

    async def get(self, key: str) -> V | None:
        """Return the value of *key*, or None; raises what the query raised."""
        future: asyncio.Future[V | None] = asyncio.get_running_loop().create_future()
        self._waiting[key].append(future)  # its own: a caller that is cancelled cancels no other
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        try:
            while self._waiting:
                keys = list(self._waiting)[:MAX_KEYS]
                await self._load({key: self._waiting.pop(key) for key in keys})
        finally:
            self._running = None

    async def _load(self, futures: Mapping[str, Sequence[asyncio.Future[V | None]]]) -> None:
        try:
            values = await self._fetch(list(futures))
        except Exception as error:  # noqa: BLE001  it is the callers' to handle
            for future in _undone(futures.values()):
                future.set_exception(error)
        else:
            for key, waiting in futures.items():
                for future in _undone([waiting]):
                    future.set_result(values.get(key))


def _undone(
    futures: Iterable[Sequence[asyncio.Future[V | None]]],
) -> Iterator[asyncio.Future[V | None]]:
    """Yield the futures of callers that still wait."""
    return (future for waiting in futures for future in waiting if not future.done())
