"""Whether the loops of a process go round: one that stands still for good asks for a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from order_runtime.observability.dependencies import DEPENDENCIES, Dependency

STALLED_SECONDS: Final = 300.0
"""More than any turn takes: of the order-writer's some attempts of 30 s each."""
BEAT_SECONDS: Final = 1.0


class Loop:
    """
    A loop, by the times of its turns.

    It stands still where a turn doesn't end for STALLED_SECONDS, although Kafka and MongoDB have
    answered all the while: waiting for one of them is no fault of the process.
    """

    def __init__(
        self,
        name: str,
        dependencies: Sequence[Dependency] = DEPENDENCIES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._dependencies, self._clock = dependencies, clock
        self._turned_at: float | None = None

    def turn(self) -> None:
        """Note that a turn begins."""
        self._turned_at = self._clock()

    def rest(self) -> None:
        """Note that there is nothing to do until the next turn."""
        self._turned_at = None

    @property
    def stalled(self) -> bool:
        """Whether it stands still; may be asked in any thread."""
        turned_at = self._turned_at
        if turned_at is None or self._clock() - turned_at < STALLED_SECONDS:
            return False
        return all(it.answers_for() >= STALLED_SECONDS for it in self._dependencies)


@asynccontextmanager
async def beating(loop: Loop) -> AsyncIterator[None]:
    """Turn *loop* every second beside the block, for as long as the event loop goes round."""
    beats = asyncio.create_task(_beat(loop))
    try:
        yield
    finally:
        beats.cancel()
        with suppress(asyncio.CancelledError):
            await beats
        loop.rest()


async def _beat(loop: Loop) -> None:
    while True:
        loop.turn()
        await asyncio.sleep(BEAT_SECONDS)
