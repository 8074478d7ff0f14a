"""An asynchronous client of the Orders API, for concurrent calls."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from support.builders.bodies import Json
from support.stack.api_client import is_settled
from support.stack.running_stack import RunningStack

IN_FLIGHT = 64
POLL_SECONDS = 0.1
WAIT = {"prefer": "wait=30"}


@dataclass(frozen=True, slots=True)
class ApiResponse:
    status: int
    headers: Mapping[str, str]
    body: Json

    @property
    def job_id(self) -> str:
        found: str = self.body["jobId"]
        return found

    @property
    def code(self) -> str | None:
        """The code of a problem."""
        found: str | None = self.body.get("code")
        return found


class AsyncApiClient:
    """A client with the stack's API key and no limit of connections."""

    def __init__(self, stack: RunningStack) -> None:
        self.base = f"{stack.gateway}/api/v3"
        self._headers, self._tls = {"apikey": stack.apikey}, stack.tls
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls)
        timeout = aiohttp.ClientTimeout(total=60)
        self._session = aiohttp.ClientSession(
            headers=self._headers, connector=connector, timeout=timeout
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def __call__(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> ApiResponse:
        """Send a request to *path*, which is already encoded, or to an absolute URL."""
        assert self._session is not None
        url = path if path.startswith("http") else f"{self.base}{path}"
        typed = {} if body is None else {"content-type": "application/json"}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        async with self._session.request(
            method,
            URL(url, encoded=True),
            data=data,
            headers={**typed, **(headers or {})},
            allow_redirects=False,
        ) as response:
            content = await response.json(content_type=None)
            return ApiResponse(response.status, response.headers, content)

    async def order(self, order_id: str) -> Json | None:
        """Return the order, or None where there is none."""
        answer = await self("GET", order_path(order_id))
        assert answer.status in {200, 404}, answer
        return answer.body if answer.status == 200 else None

    async def settled(self, job_ids: Collection[str], *, seconds: float = 60) -> dict[str, Json]:
        """Wait until all jobs are settled; return them."""
        found: dict[str, Json] = {}
        room, end = asyncio.Semaphore(IN_FLIGHT), time.monotonic() + seconds
        while open_ids := [job_id for job_id in job_ids if job_id not in found]:
            assert time.monotonic() < end, f"not settled within {seconds} s: {open_ids[:5]}"
            await asyncio.sleep(POLL_SECONDS)
            jobs = await asyncio.gather(*[self._job(job_id, room) for job_id in open_ids])
            found |= {job["jobId"]: job for job in jobs if job is not None and is_settled(job)}
        return found

    async def _job(self, job_id: str, room: asyncio.Semaphore) -> Json | None:
        async with room:
            body = (await self("GET", f"/orders/jobs/{quote(job_id, safe='')}")).body
        job: Json | None = body.get("job") if "code" in body else body
        return job


def order_path(order_id: str, call: str = "") -> str:
    return f"/orders/{quote(order_id, safe='')}{call and '/'}{call}"
