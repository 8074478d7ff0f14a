"""SIGTERM and SIGINT ask a service to finish what it is doing and leave."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def stop_event() -> threading.Event:
    """Return an event that the signals set; for a service that runs in one thread."""
    stop = threading.Event()
    for name in _SIGNALS:
        signal.signal(name, lambda *_: stop.set())
    return stop


def async_stop_event() -> asyncio.Event:
    """Return an event that the signals set in the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in _SIGNALS:
        loop.add_signal_handler(name, stop.set)
    return stop


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return what *work* does, unless *stop* comes first, which cancels it; then None."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if working.done():
        return await working
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    return None
