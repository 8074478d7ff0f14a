"""A sender returns what became of one request, and never raises: in memory and over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest
import uvloop
from aiohttp import web
from pydantic import SecretStr

from action_trigger.adapters.http_connections import http_connections
from action_trigger.adapters.http_sender import HttpSender, SendResult
from action_trigger.domain.endpoint import Endpoint
from action_trigger.domain.retry_policy import NoResponse, Response
from support.fakes.memory_sender import MemorySender

AT = datetime(2025, 12, 1, 12, tzinfo=UTC)
TIMEOUT = 1.0  # seconds that the endpoint has
MARGIN = 3.0  # seconds by which a bounded wait may be late on a busy machine
SECRET = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")


@pytest.fixture(scope="module")
def event_loop_policy() -> object:
    """The loop that the action-trigger has: its transports behave in their own way."""
    return uvloop.EventLoopPolicy()


class Sender(Protocol):
    """What the endpoint's client sends with."""

    async def send(self, action_id: str, body: str, at: datetime, /) -> SendResult: ...


class WebhookReceiver(Protocol):
    """An endpoint, and what sends to it."""

    @property
    def sender(self) -> Sender: ...
    def respond(self, response: Response) -> None: ...
    def hang(self) -> None: ...


@dataclass(frozen=True)
class MemoryReceiver:
    sender: MemorySender

    def respond(self, response: Response) -> None:
        self.sender.response = response

    def hang(self) -> None:
        self.sender.answering.clear()


class HttpReceiver:
    """A real HTTP server; it needs no stack."""

    sender: HttpSender

    def __init__(self) -> None:
        self._response = Response(204)
        self._answering = asyncio.Event()
        self._answering.set()

    def respond(self, response: Response) -> None:
        self._response = response

    def hang(self) -> None:
        self._answering.clear()

    async def answer(self, _: web.Request) -> web.Response:
        await self._answering.wait()
        retry_after = self._response.retry_after
        headers = {} if retry_after is None else {"Retry-After": retry_after}
        return web.Response(status=self._response.status, headers=headers)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_post("/hook", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        async with http_connections(allow_private_addresses=True) as http:
            endpoint = Endpoint(url=url, secrets=(SECRET,), timeout_seconds=TIMEOUT)
            self.sender = HttpSender(http, endpoint)
            yield
        await runner.cleanup()


@pytest.fixture(params=["memory", "http"])
async def receiver(request: pytest.FixtureRequest) -> AsyncIterator[WebhookReceiver]:
    if request.param == "memory":
        yield MemoryReceiver(MemorySender(Response(204), TIMEOUT))
        return
    real = HttpReceiver()
    async with real.serving():
        yield real


async def send(receiver: WebhookReceiver) -> SendResult:
    async with asyncio.timeout(TIMEOUT + MARGIN):
        return await receiver.sender.send("action-1", "{}", AT)


@pytest.mark.parametrize(
    "response",
    [Response(204), Response(302), Response(400), Response(429, "120"), Response(503, "soon")],
    ids=lambda response: str(response.status),
)
async def test_whatever_an_endpoint_answers_is_a_result(
    receiver: WebhookReceiver, response: Response
) -> None:
    """Redirects and Retry-After too, for the domain to judge; the time is that of the signature."""
    receiver.respond(response)
    result = await send(receiver)
    assert (result.response, result.sent_at) == (response, AT)
    assert timedelta() <= result.duration < timedelta(seconds=TIMEOUT)


async def test_an_endpoint_that_does_not_answer_in_time_is_a_result(
    receiver: WebhookReceiver,
) -> None:
    receiver.hang()
    result = await send(receiver)
    assert (result.response, result.excerpt) == (NoResponse("timeout"), "timeout")
    assert timedelta(seconds=TIMEOUT * 0.9) < result.duration < timedelta(seconds=TIMEOUT + MARGIN)


async def test_requests_do_not_wait_for_one_another(receiver: WebhookReceiver) -> None:
    """How many may be in flight is not the sender's to decide."""
    receiver.hang()
    async with asyncio.timeout(TIMEOUT + MARGIN):
        results = await asyncio.gather(*[send(receiver) for _ in range(20)])
    assert {result.response for result in results} == {NoResponse("timeout")}
