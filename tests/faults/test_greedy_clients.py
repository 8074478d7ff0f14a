"""Slow and greedy clients cost themselves: the others are answered, the gateway stays small."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import aiohttp
import psutil
import pytest

from support.builders.bodies import order_body, unique
from support.load.greedy_clients import DRIPPING, FLOODING
from support.stack.extra_gateway import ExtraGateway, extra_gateway
from support.stack.running_stack import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.timeout(600)]

MIB = 1024 * 1024
MAX_RESIDENT = 400 * MIB
CALLERS = 8
SECONDS = 20.0


@dataclass
class Traffic:
    """What callers of good manners were answered, and how soon."""

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[len(self.seconds) * 99 // 100]


def key(stack: RunningStack) -> str:
    made: str = json.loads(stack.orders("keys", "new", unique("key"), "--json").stdout)["key"]
    return made


async def call(url: str, apikey: str, seconds: float) -> Traffic:
    """Register orders one after the other, as several callers, for so many seconds."""
    traffic, end = Traffic(), time.monotonic() + seconds
    headers = {"apikey": apikey, "content-type": "application/json"}

    async def caller(session: aiohttp.ClientSession) -> None:
        while time.monotonic() < end:
            began = time.monotonic()
            async with session.post(f"{url}/orders", json=order_body()) as response:
                traffic.statuses[response.status] += 1
                await response.read()
            traffic.seconds.append(time.monotonic() - began)
            await asyncio.sleep(0.05)

    async with aiohttp.ClientSession(headers=headers) as session:
        await asyncio.gather(*(caller(session) for _ in range(CALLERS)))
    return traffic


async def beginning(gateway: ExtraGateway, apikey: str) -> asyncio.subprocess.Process:
    module = ("-m", "support.load.greedy_clients")
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *module,
        str(gateway.port),
        str(SECONDS),
        env=os.environ | {"APIKEY": apikey, "PYTHONPATH": "tests"},
        stdout=asyncio.subprocess.PIPE,
    )


async def resident(gateway: ExtraGateway, peak: list[int]) -> None:
    process = psutil.Process(gateway.process.pid)
    while True:
        peak[0] = max(peak[0], process.memory_info().rss)
        await asyncio.sleep(0.05)


async def test_slow_and_greedy_clients_cost_themselves(stack: RunningStack) -> None:
    """
    Slowloris, a flood of headers and 200 bulks of 8 MB at once: everyone else is answered.

    Clients that are greedy with another gateway show what of it is the machine's share: they take
    the same time from it.
    """
    with extra_gateway(stack) as gateway, extra_gateway(stack) as another:
        url, peak = f"http://127.0.0.1:{gateway.port}/api/v3", [0]
        watch = asyncio.create_task(resident(gateway, peak))
        alone = await call(url, key(stack), SECONDS)
        quiet = peak[0]
        greedy = await beginning(another, key(stack))
        elsewhere = await call(url, key(stack), SECONDS)
        await greedy.communicate()
        greedy = await beginning(gateway, key(stack))
        beside = await call(url, key(stack), SECONDS)
        output, _ = await greedy.communicate()
        answered = {int(status): count for status, count in json.loads(output).items()}
        watch.cancel()
        closed = gateway.metric("ordermill_gateway_connections_closed_total")

    print(
        f"p99 {alone.p99:.3f} s alone, {beside.p99:.3f} s beside them: {beside.p99 / alone.p99:.1f}"
        f"; {elsewhere.p99:.3f} s while they are at another gateway"
    )
    print(f"{quiet >> 20} MB before, {peak[0] >> 20} MB at most; bulks {answered}")
    assert set(alone.statuses) == set(beside.statuses) == {202}
    assert peak[0] < MAX_RESIDENT
    assert closed >= DRIPPING + FLOODING
    assert set(answered) <= {0, 400, 503}  # how many get their turn is the machine's to say
