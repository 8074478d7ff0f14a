"""The action-trigger's HTTP client in memory: an endpoint that answers as a test tells it to."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from action_trigger.adapters.http_sender import SendResult
from action_trigger.domain.retry_policy import NoResponse, Response


class MemorySender:
    """Returns its `response`; while `answering` isn't set, none arrives in time."""

    rate = None

    def __init__(self, response: Response | NoResponse, timeout_seconds: float = 15.0) -> None:
        self.response = response
        self.timeout_seconds = timeout_seconds
        self.answering = asyncio.Event()
        self.answering.set()
        self.traceparents: list[str | None] = []
        """Those of the webhooks that were sent."""

    async def send(
        self, action_id: str, body: str, at: datetime, traceparent: str | None = None
    ) -> SendResult:
        del action_id, body
        self.traceparents.append(traceparent)
        clock = asyncio.get_running_loop().time
        started = clock()
        response = await self._response()
        excerpt = response.reason if isinstance(response, NoResponse) else ""
        return SendResult(at, timedelta(seconds=clock() - started), response, excerpt)

    async def _response(self) -> Response | NoResponse:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                await self.answering.wait()
        except TimeoutError:
            return NoResponse("timeout")
        return self.response
