"""
Slow and greedy clients of one gateway, in a process of their own: they leave no time for others.

`python -m support.load.greedy_clients PORT SECONDS`, with the key in APIKEY, prints how often the
bulks were answered with which status; 0 is a connection that broke.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from contextlib import suppress

import aiohttp

from support.builders.bodies import line, order_body

MIB = 1024 * 1024
BULKS, DRIPPING, FLOODING = 200, 200, 20


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


def rows() -> bytes:
    """Return 8 MB of 900 lines, each an order that is refused for its orderId alone."""
    order = order_body("a/b", lines=[line(description="d" * 510) for _ in range(14)])
    row = json.dumps(order).encode() + b"\n"
    return row * 900


async def greedy(port: int, apikey: str, seconds: float) -> Counter[int]:
    answered = Counter[int]()
    url = f"http://127.0.0.1:{port}/api/v3"
    tasks = [asyncio.create_task(drip(port)) for _ in range(DRIPPING)]
    tasks += [asyncio.create_task(flood(port)) for _ in range(FLOODING)]
    tasks.append(asyncio.create_task(import_all(url, apikey, rows(), answered)))
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return answered


if __name__ == "__main__":
    found = asyncio.run(greedy(int(sys.argv[1]), os.environ["APIKEY"], float(sys.argv[2])))
    print(json.dumps(found))
