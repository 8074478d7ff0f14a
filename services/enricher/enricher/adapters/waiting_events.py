"""Events that were read and wait to be handled: whatever waits is taken together."""

from __future__ import annotations

import asyncio
from typing import Any


class WaitingEvents:
    """
    Faust's events in the order in which they were read, at most *limit*.

    What comes while a batch is handled makes the next one: the busier the machine, the larger.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._events: list[Any] = []
        self._added = asyncio.Event()
        self._taken = asyncio.Event()

    async def add(self, event: Any) -> None:
        """Add *event* once there is room."""
        while len(self._events) >= self._limit:
            self._taken.clear()
            await self._taken.wait()
        self._events.append(event)
        self._added.set()

    async def take(self, most: int) -> list[Any]:
        """Return the first events, at least one and up to *most*."""
        while not self._events:
            self._added.clear()
            await self._added.wait()
        taken, self._events = self._events[:most], self._events[most:]
        self._taken.set()
        return taken
