"""One deadline at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Timer:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        return self._handle is not None

    def start(self, seconds: float, handler: Callable[[], object]) -> None:
        """Call *handler* after so many seconds; what was to be called before is not."""
        self.stop()
        self._handle = self._loop.call_later(seconds, self._end, handler)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _end(self, handler: Callable[[], object]) -> None:
        self._handle = None
        handler()
