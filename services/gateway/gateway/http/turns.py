"""Long work on the event loop, in turns: other requests are answered between them."""

from __future__ import annotations

import asyncio
import time
from typing import Final

TURN_SECONDS: Final = 0.002
REST_SECONDS: Final = 0.004
"""Left to others who have something to do: one request takes several steps of the event loop."""
OTHERS_SECONDS: Final = 0.000_2
"""Above it, what the event loop did between two turns was somebody's request."""


class Turns:
    def __init__(self) -> None:
        self._since = time.perf_counter()

    async def give_way(self) -> None:
        """Let others go on, if this turn has been long enough."""
        ended = time.perf_counter()
        if ended - self._since <= TURN_SECONDS:
            return
        await asyncio.sleep(0)
        if time.perf_counter() - ended > OTHERS_SECONDS:
            await asyncio.sleep(REST_SECONDS)
        self._since = time.perf_counter()
