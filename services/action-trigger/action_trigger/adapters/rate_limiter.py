"""How fast one endpoint may be sent to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from aiolimiter import AsyncLimiter

BURST: Final = 0.1  # seconds whose webhooks may leave at once


class RateLimiter:
    """At most so many webhooks a second, evenly; without a rate as many as there are."""

    def __init__(self, rate: float | None) -> None:
        burst = max(1.0, rate * BURST) if rate else 0.0
        self._limiter = AsyncLimiter(burst, burst / rate) if rate else None
        self._line = asyncio.Lock()

    async def keep(self, wanted: Callable[[], bool]) -> None:
        """
        Return when one more may leave, at once where it isn't *wanted* any more.

        They wait in line, so that only the first of them has to find out by waiting.
        """
        if self._limiter is None:
            return
        async with self._line:
            if wanted():
                await self._limiter.acquire()
