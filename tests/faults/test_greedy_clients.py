"""Slow and greedy clients cost themselves: the others are answered, the gateway stays small."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
import psutil
import pytest

from support.builders.bodies import line, order_body, unique
from support.stack.extra_gateway import ExtraGateway, extra_gateway
from support.stack.running_stack import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.timeout(600)]

MIB = 1024 * 1024
MAX_RESIDENT = 400 * MIB
CALLERS = 8
SECONDS = 20.0
BULKS, DRIPPING, FLOODING = 200, 200, 20


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


async def drip(port: int) -> None:
    """A slowloris: headers that come byte by byte, over and over."""
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            for byte in b"GET /api/v3/orders HTTP/1.1\r\nX: " + b"x" * 1_000:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.5)
        await asyncio.sleep(0.1)


async def flood(port: int) -> None:
    """Headers without end."""
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /api/v3/orders HTTP/1.1\r\n")
            for _ in range(500):
                writer.write(b"X: " + b"x" * 300_000 + b"\r\n")
                await writer.drain()
        await asyncio.sleep(0.5)


async def import_all(url: str, apikey: str, body: bytes, answered: Counter[int]) -> None:
    """Send bulks of 8 MB at once, each once more where there was no room for it."""
    headers = {"apikey": apikey, "content-type": "application/x-ndjson"}

    async def one(session: aiohttp.ClientSession) -> None:
        for _ in range(2):
            try:
                async with session.post(f"{url}/orders/bulk", data=body) as response:
                    answered[response.status] += 1
                    await response.read()
            except (aiohttp.ClientError, OSError):
                answered[0] += 1
            await asyncio.sleep(1)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        await asyncio.gather(*(one(session) for _ in range(BULKS)))


@asynccontextmanager
async def greedy(
    gateway: ExtraGateway, apikey: str, body: bytes, answered: Counter[int]
) -> AsyncIterator[None]:
    url = f"http://127.0.0.1:{gateway.port}/api/v3"
    tasks = [asyncio.create_task(drip(gateway.port)) for _ in range(DRIPPING)]
    tasks += [asyncio.create_task(flood(gateway.port)) for _ in range(FLOODING)]
    tasks.append(asyncio.create_task(import_all(url, apikey, body, answered)))
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def resident(gateway: ExtraGateway, peak: list[int]) -> None:
    process = psutil.Process(gateway.process.pid)
    while True:
        peak[0] = max(peak[0], process.memory_info().rss)
        await asyncio.sleep(0.05)


def rows() -> bytes:
    """Return 8 MB of lines, each an order that is refused for its orderId alone."""
    order = order_body("a/b", lines=[line(description="d" * 500) for _ in range(12)])
    row = json.dumps(order).encode() + b"\n"
    return row * (8 * MIB // len(row))


async def test_slow_and_greedy_clients_cost_themselves(stack: RunningStack) -> None:
    """
    Slowloris, a flood of headers and 200 bulks of 8 MB at once: everyone else is answered.
    """
    with extra_gateway(stack) as gateway:
        url, peak, answered = f"http://127.0.0.1:{gateway.port}/api/v3", [0], Counter[int]()
        watch = asyncio.create_task(resident(gateway, peak))
        alone = await call(url, key(stack), SECONDS)
        quiet = peak[0]
        async with greedy(gateway, key(stack), rows(), answered):
            beside = await call(url, key(stack), SECONDS)
        watch.cancel()
        closed = gateway.metric("ordermill_gateway_connections_closed_total")

    print(
        f"p99 {alone.p99:.3f} s alone, {beside.p99:.3f} s beside them: {beside.p99 / alone.p99:.1f}"
    )
    print(f"{quiet >> 20} MB before, {peak[0] >> 20} MB at most; bulks {dict(answered)}")
    assert set(alone.statuses) == set(beside.statuses) == {202}
    assert peak[0] < MAX_RESIDENT
    assert closed >= DRIPPING + FLOODING
    assert answered[400] > 0
    assert set(answered) <= {0, 400, 503}
