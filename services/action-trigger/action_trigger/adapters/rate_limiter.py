"""Limits the rate of requests to one endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aiolimiter import AsyncLimiter

BURST: Final = 0.1  # seconds; the requests of as long a time may be sent at once


class RateLimiter:
    """At most *rate* requests a second, evenly spread; no limit where it is None."""

    def __init__(self, rate: float | None) -> None:
        burst = max(1.0, rate * BURST) if rate else 0.0
        self._limiter = AsyncLimiter(burst, burst / rate) if rate else None
        self._turn = asyncio.Lock()

    async def acquire(self, wanted: Callable[[], bool]) -> None:
        """
        Return when another request may be sent, at once where it isn't *wanted* any more.

        Callers are served one after the other, and asked only when it is their turn: requests that
        became unwanted while they waited use up nothing of the rate.
        """
        if self._limiter is None:
            return
        async with self._turn:
            if wanted():
                await self._limiter.acquire()
