"""A service that is asked to stop stops also while it waits for what it needs to begin."""

from __future__ import annotations

import asyncio

import pytest

from order_runtime.process.signals import unless_stopped


async def test_work_that_ends_first_is_done() -> None:
    done: list[str] = []

    async def work() -> str:
        done.append("work")
        return "what it came to"

    assert await unless_stopped(asyncio.Event(), work()) == "what it came to"
    assert done == ["work"]


async def test_a_stop_ends_work_that_would_wait_for_ever() -> None:
    stop, ended = asyncio.Event(), asyncio.Event()

    async def work() -> bool:
        stop.set()
        try:
            return await asyncio.Event().wait()
        finally:
            ended.set()

    assert await unless_stopped(stop, work()) is None
    assert ended.is_set()


async def test_an_error_of_the_work_is_the_callers() -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await unless_stopped(asyncio.Event(), work())
