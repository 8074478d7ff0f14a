"""A bound on the bytes of records that were read and aren't handled yet."""

from __future__ import annotations

import asyncio


class ByteBudget:
    """Lets records in while those in hand have less than a number of bytes; for one event loop."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._used = 0
        self._room = asyncio.Event()
        self._room.set()

    async def take(self, size: int) -> None:
        """Wait until there is room, then count *size*; one record may exceed the budget."""
        await self._room.wait()
        self._count(size)

    def give_back(self, size: int) -> None:
        self._count(-size)

    def reset(self) -> None:
        """Count nothing as in hand: after a rebalance, what was read may never be handled."""
        self._count(-self._used)

    def _count(self, size: int) -> None:
        self._used = max(0, self._used + size)
        (self._room.set if self._used < self._max else self._room.clear)()
