"""Concurrent registrations over HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from support.builders.bodies import Json
from support.stack.running_stack import RunningStack


@dataclass(frozen=True, slots=True)
class TimedResponse:
    body: Json
    status: int
    answer: Json
    seconds: float

    @property
    def job_id(self) -> str:
        found: str = self.answer["jobId"]
        return found


def post_all(
    stack: RunningStack, bodies: Sequence[Json], *, concurrency: int
) -> list[TimedResponse]:
    """
    Register every body, *concurrency* at a time; return the responses in the order of *bodies*.

    A post whose connection breaks is retried for at most a minute.
    """
    return asyncio.run(_post_all(stack, bodies, concurrency))


async def _post_all(
    stack: RunningStack, bodies: Sequence[Json], concurrency: int
) -> list[TimedResponse]:
    room = asyncio.Semaphore(concurrency)
    headers = {"apikey": stack.apikey, "content-type": "application/json"}
    connector = aiohttp.TCPConnector(limit=concurrency, ssl=stack.tls)
    timeout = aiohttp.ClientTimeout(total=60)

    async def answered(session: aiohttp.ClientSession, body: Json) -> TimedResponse:
        async with room, asyncio.timeout(60):
            while True:
                try:
                    return await _post(session, stack, body)
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.1)

    async with aiohttp.ClientSession(
        headers=headers, connector=connector, timeout=timeout
    ) as session:
        return await asyncio.gather(*[answered(session, body) for body in bodies])


async def _post(session: aiohttp.ClientSession, stack: RunningStack, body: Json) -> TimedResponse:
    url, began = f"{stack.gateway}/api/v3/orders", time.monotonic()
    async with session.post(url, data=json.dumps(body).encode()) as response:
        answer = await response.json(content_type=None)
        return TimedResponse(body, response.status, answer, time.monotonic() - began)
