"""Group commit: items that several tasks write at the same time are written as one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")


class GroupCommit(Generic[T]):
    """While a batch is written, the next one collects; an item never waits for others to come."""

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[None]]) -> None:
        self._write = write
        self._collected: list[tuple[T, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def add(self, item: T) -> None:
        """Return when *item* is written; raises what its batch raised."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._collected.append((item, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._drain())
        await done

    async def _drain(self) -> None:
        while self._collected:
            batch, self._collected = self._collected, []
            error = await self._try_write([item for item, _ in batch])
            for _, done in batch:
                if done.done():
                    continue  # its task was cancelled meanwhile
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)
        self._writing = None

    async def _try_write(self, items: Sequence[T]) -> Exception | None:
        try:
            await self._write(items)
        except Exception as error:  # noqa: BLE001  raised in each task of the batch
            return error
        return None
