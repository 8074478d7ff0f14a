"""The rate of requests to an endpoint."""

from __future__ import annotations

import asyncio

from action_trigger.adapters.rate_limiter import BURST, RateLimiter

RATE = 50.0


async def test_it_is_never_faster_than_the_rate() -> None:
    limiter, clock = RateLimiter(RATE), asyncio.get_running_loop().time
    began, count = clock(), 20
    await asyncio.gather(*(limiter.acquire(lambda: True) for _ in range(count)))
    assert clock() - began >= (count - 1 - BURST * RATE) / RATE


async def test_a_rate_below_one_a_second_lets_the_first_go_at_once() -> None:
    async with asyncio.timeout(5):
        await RateLimiter(0.01).acquire(lambda: True)


async def test_who_is_not_wanted_any_more_does_not_wait() -> None:
    limiter = RateLimiter(0.01)
    await limiter.acquire(lambda: True)
    async with asyncio.timeout(5):
        await asyncio.gather(*(limiter.acquire(lambda: False) for _ in range(32)))
