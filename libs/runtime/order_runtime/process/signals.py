"""SIGTERM and SIGINT ask a service to finish what it is doing and leave."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequested(Exception):
    """The service was asked to stop while it waited for something; nothing is left half done."""


def stop_event() -> threading.Event:
    """Return an event that the signals set."""
    stop = threading.Event()
    for name in _SIGNALS:
        signal.signal(name, lambda *_: stop.set())
    return stop


def async_stop_event(stop: threading.Event) -> asyncio.Event:
    """
    Return an event of the running loop that the signals set from now on, and *stop* with it.

    It is set at once where a signal came before: none is lost between the two.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def request() -> None:
        stop.set()
        stopping.set()

    for name in _SIGNALS:
        loop.add_signal_handler(name, request)
    if stop.is_set():
        stopping.set()
    return stopping


async def unless_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return the result of *work*; where *stop* comes first, cancel it and return None."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if working.done():
        return await working
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    return None


async def run_until(
    stop: asyncio.Event, *parts: Coroutine[Any, Any, None], grace: Callable[[], float]
) -> None:
    """
    Run all parts until *stop*, and up to *grace* seconds longer; an error of one ends them all.

    Raises an exception group of the parts' errors. The parts are expected to end by themselves at
    *stop*; what is left after *grace* is cancelled.
    """
    work = asyncio.create_task(_together(parts))
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not work.done():
        await asyncio.wait({work}, timeout=grace())
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work


async def _together(parts: Iterable[Coroutine[Any, Any, None]]) -> None:
    async with asyncio.TaskGroup() as tasks:
        for part in parts:
            tasks.create_task(part)
