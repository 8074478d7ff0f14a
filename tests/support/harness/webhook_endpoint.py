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

MAX_RANDOM_FAILURES = 6  # below the attempts after which an action fails for good


@dataclass
class WebhookEndpoint:
    """Answers 204 unless configured otherwise; with `hangs` it doesn't answer /slow."""

    hangs: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """When set, hanging requests are answered."""
    status: int = 204
    failure_rate: float = 0.0
    """Share of posts answered 500 at random; at most MAX_RANDOM_FAILURES per action."""
    posts: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    """Posts that were answered 2xx, by action id."""
    senders: set[str] = field(default_factory=set)
    signatures: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    """The monotonic time of each post."""
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
    """Serve *webhook_endpoint* on a free port, which is yielded."""
    app = web.Application()
    app.router.add_post("/{path:.*}", webhook_endpoint.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0][1]
    await runner.cleanup()
