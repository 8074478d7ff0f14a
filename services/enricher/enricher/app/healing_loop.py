"""Taking turns with the stream: healing has a bounded share of the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Final, Protocol

from enricher import metrics
from enricher.adapters.healing_queue import HealingQueue
from order_runtime.process.retry import retry_transient

SHARE: Final = 0.5  # of the time, at most, while events or reference records wait
LOOK_AGAIN: Final = 1.0  # seconds, after which another enricher's items are seen


class Turns(Protocol):
    """Of which one at a time is a batch's, or a portion's: no fact changes within it."""

    def turn(self) -> AbstractAsyncContextManager[object]: ...

    def others_wait(self) -> bool: ...


class HealingLoop:
    """Works on the healing queue while the service runs."""

    def __init__(
        self,
        work: Callable[[datetime], Awaitable[bool]],
        queue: HealingQueue,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        look_again: float = LOOK_AGAIN,
    ) -> None:
        """*work* does a portion, and returns False where there is none."""
        self._look_again = look_again
        self._work = work
        self._queue = queue
        self._sleep = sleep

    @asynccontextmanager
    async def running(self, turns: Turns, stop: asyncio.Event) -> AsyncIterator[None]:
        """Heal in the background; an exception sets *stop* and is raised on exit."""
        healing = asyncio.create_task(self.for_ever(turns))
        healing.add_done_callback(lambda _: stop.set())
        try:
            yield
        finally:
            healing.cancel()
        with suppress(asyncio.CancelledError):
            await healing

    async def for_ever(self, turns: Turns) -> None:
        """Work for good; transient errors are retried, any other one is raised."""
        while True:
            self._queue.arrived.clear()
            worked = await retry_transient(lambda: self.next_turn(turns), metrics.RETRIES.inc)
            if not worked:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._queue.arrived.wait(), self._look_again)

    async def next_turn(self, turns: Turns) -> bool:
        """Work on a portion in its turn, then leave the stream its share of the time."""
        async with turns.turn():
            began = time.monotonic()
            worked = await self._work(datetime.now(UTC))
            took = time.monotonic() - began
        await self._observe()
        if worked and turns.others_wait():
            await self._sleep(took * (1 - SHARE) / SHARE)
        return worked

    async def _observe(self) -> None:
        items, since = await self._queue.backlog()
        age = (datetime.now(UTC) - since).total_seconds() if since is not None else 0.0
        metrics.HEALING_ITEMS.set(items)
        metrics.HEALING_OLDEST.set(max(0.0, age))
