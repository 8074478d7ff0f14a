"""A real HTTP server for webhooks, which answers as a test tells it to."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from aiohttp import web

MAX_RANDOM_FAILURES = 6  # so that no action fails for good


@dataclass
class WebhookEndpoint:
    """Answers 204, or as it is told; hangs for ever where it is told to."""

    hangs: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Ends what hangs."""
    status: int = 204
    failure_rate: float = 0.0
    """Which part of the posts is answered 500 at random; no action's more than LUCKLESS times."""
    posts: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    """Answered 2xx."""
    senders: set[str] = field(default_factory=set)
    signatures: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    """When each post came, by the monotonic clock."""
    in_flight: int = 0
    max_in_flight: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        action_id = request.headers["webhook-id"]
        self.posts[action_id] += 1
        self.senders.add(request.headers["From"])
        self.signatures.append(request.headers["webhook-signature"])
        self.times.append(time.monotonic())
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            await self._hang() if self.hangs and request.path == "/slow" else None
        finally:
            self.in_flight -= 1
        if self.status == 302:
            raise web.HTTPFound("/elsewhere")
        unlucky = (
            random.random() < self.failure_rate and self.posts[action_id] <= MAX_RANDOM_FAILURES
        )
        status = 500 if unlucky else self.status
        self.accepted[action_id] += status < 300
        text = f"You sent {request.headers['Authorization']}. " + "x" * 10_000
        return web.Response(status=status, text=text)

    async def _hang(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(60):
                await self.released.wait()


@asynccontextmanager
async def serving(webhook_endpoint: WebhookEndpoint) -> AsyncIterator[int]:
    """Serve *trigger* on a port of its own, which is given."""
    app = web.Application()
    app.router.add_post("/{path:.*}", webhook_endpoint.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()
