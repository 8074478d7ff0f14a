"""A client of the gateway that retries each request under one Idempotency-Key."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp

REQUEST_SECONDS = 30.0
ACCEPTED = 202
RETRIED = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Answer:
    """The HTTP status and body for one line of the file; no status where no answer came."""

    line: int
    status: int | None
    body: Any
    order: str  # the line as it was read

    @property
    def accepted(self) -> bool:
        return self.status == ACCEPTED

    @property
    def unsent(self) -> bool:
        return self.status is None or self.status in RETRIED


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a request is tried, and how long between; by default for about half a minute."""

    tries: int = 9
    first_pause: float = 0.1  # seconds, doubled with each try
    longest_pause: float = 8.0

    def pause(self, attempt: int, retry_after: str | None) -> float:
        """Return the seconds before the next try: Retry-After, or a pause that doubles."""
        if retry_after and retry_after.isdigit():
            return min(float(retry_after), self.longest_pause)
        return min(self.first_pause * 2.0**attempt, self.longest_pause)


@dataclass(frozen=True, slots=True)
class GatewayClient:
    """Retries 429, 502 to 504 and lost connections, by a policy."""

    session: aiohttp.ClientSession
    base: str
    retries: RetryPolicy

    async def register(self, line: int, order: str) -> Answer:
        # One key for all tries: a retry after a lost answer is answered with the same job.
        headers = {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
        status, body = await self._ask("POST", "/orders", data=order.encode(), headers=headers)
        return Answer(line, status, body, order)

    async def job(self, job_id: str) -> dict[str, Any] | None:
        """Return the job; a failed one comes as a problem that holds it."""
        _, body = await self._ask("GET", f"/orders/jobs/{job_id}")
        if not isinstance(body, dict):
            return None
        found = body.get("job", body)
        return found if isinstance(found, dict) and "jobId" in found else None

    async def _ask(self, method: str, path: str, **options: Any) -> tuple[int | None, Any]:
        last: tuple[int | None, Any] = (None, "the gateway gave no answer")
        for attempt in range(self.retries.tries):
            after = None
            try:
                async with self.session.request(method, self.base + path, **options) as answer:
                    last = (answer.status, parsed(await answer.text()))
                    if answer.status not in RETRIED:
                        return last
                    after = answer.headers.get("Retry-After")
            except (aiohttp.ClientError, TimeoutError) as error:
                last = (None, type(error).__name__)
            await asyncio.sleep(self.retries.pause(attempt, after))
        return last


def parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


@asynccontextmanager
async def connected(
    gateway: str,
    apikey: str,
    concurrency: int,
    retries: RetryPolicy = RetryPolicy(),
    ca_file: str | None = None,
) -> AsyncIterator[GatewayClient]:
    """Yield a client; *ca_file* has the gateway's authority where the system doesn't trust it."""
    trusted = True if ca_file is None else ssl.create_default_context(cafile=ca_file)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=concurrency, ssl=trusted),
        timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
        headers={"apikey": apikey},
    ) as session:
        yield GatewayClient(session, f"{gateway}/api/v3", retries)
