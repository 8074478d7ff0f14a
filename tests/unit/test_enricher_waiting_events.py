"""What waits is taken together, and only so much is read before it."""

from __future__ import annotations

import asyncio

from enricher.adapters.waiting_events import WaitingEvents


async def test_what_came_little_by_little_is_taken_together_and_in_order() -> None:
    """The busier the machine, the more wait: the batches grow with them."""
    waiting = WaitingEvents(limit=10)
    for number in range(10):
        await waiting.add(number)

    assert await waiting.take(8) == [0, 1, 2, 3, 4, 5, 6, 7]
    assert await waiting.take(8) == [8, 9]


async def test_nothing_more_is_read_while_so_much_waits() -> None:
    waiting = WaitingEvents(limit=2)
    await waiting.add(1)
    await waiting.add(2)
    more = asyncio.create_task(waiting.add(3))
    await asyncio.sleep(0)
    assert not more.done(), "as much as the limit waits"

    assert await waiting.take(1) == [1]
    await asyncio.wait_for(more, 5)
    assert await waiting.take(5) == [2, 3]


async def test_whoever_takes_waits_for_an_event() -> None:
    waiting = WaitingEvents(limit=2)
    taking = asyncio.create_task(waiting.take(2))
    await asyncio.sleep(0)
    assert not taking.done()

    await waiting.add(1)

    assert await asyncio.wait_for(taking, 5) == [1]
