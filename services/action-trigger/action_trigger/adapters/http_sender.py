"""Sends one webhook over HTTP: a single request, of whose response an excerpt is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from aiohttp import (
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)

from action_trigger.adapters.ssrf_guard import PublicOnlyResolver
from action_trigger.domain.endpoint import Endpoint
from action_trigger.domain.retry_policy import NoResponse, Response
from action_trigger.domain.webhooks import signature_headers

EXCERPT_CHARACTERS: Final = 256
IDLE_SECONDS: Final = 15.0  # after which an unused connection is closed
_HEADERS: Final = MappingProxyType(
    {
        "Content-Type": "application/json",
        "User-Agent": "ordermill-action-trigger",
        "Accept-Encoding": "identity",
    }
)


@dataclass(frozen=True, slots=True)
class SendResult:
    sent_at: datetime
    duration: timedelta
    response: Response | NoResponse
    excerpt: str
    """The first characters of the response, or why there was none; secrets are masked."""


def session(*, allow_private_addresses: bool) -> ClientSession:
    """Return a session without cookies, proxies or a limit of its own; close it when done."""
    connector = TCPConnector(
        limit=0,
        keepalive_timeout=IDLE_SECONDS,
        resolver=None if allow_private_addresses else PublicOnlyResolver(),
    )
    return ClientSession(
        connector=connector,
        headers=dict(_HEADERS),
        cookie_jar=DummyCookieJar(),
        auto_decompress=False,
        raise_for_status=False,
    )


class HttpSender:
    """Sends webhooks to one endpoint."""

    def __init__(self, http: ClientSession, endpoint: Endpoint) -> None:
        self._session = http
        self._url = endpoint.url
        self._keys = endpoint.keys
        self._own_headers = endpoint.own_headers
        self._timeout = ClientTimeout(total=endpoint.timeout_seconds)
        self._secrets = tuple(text for text in (*self._keys, *self._own_headers.values()) if text)
        self.timeout_seconds = endpoint.timeout_seconds
        self.rate = endpoint.rate

    async def send(self, action_id: str, body: str, at: datetime) -> SendResult:
        """Send once; redirects are not followed, and a failure to connect is a result too."""
        clock = asyncio.get_running_loop().time
        started = clock()
        response, excerpt = await self._try_post(action_id, body, at)
        return SendResult(at, timedelta(seconds=clock() - started), response, excerpt)

    async def _try_post(
        self, action_id: str, body: str, at: datetime
    ) -> tuple[Response | NoResponse, str]:
        signature = signature_headers(body, action_id=action_id, at=at, secrets=self._keys)
        try:
            return await self._post(body.encode(), {**self._own_headers, **signature})
        except TimeoutError:
            return NoResponse("timeout"), "timeout"
        except (ClientError, OSError, ValueError) as error:  # ValueError: an unusable URL or header
            reason = type(error).__name__
            return NoResponse(reason), reason

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> tuple[Response, str]:
        async with self._session.post(
            self._url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
        ) as response:
            excerpt = self._masked(await _first_characters(response))
            return Response(response.status, response.headers.get("Retry-After")), excerpt

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text[:EXCERPT_CHARACTERS]


async def _first_characters(response: ClientResponse) -> str:
    """Read the start of the body; where it breaks off, the status counts all the same."""
    try:
        # More than is kept, so that a secret at the edge of the excerpt is masked too.
        raw = await response.content.read(EXCERPT_CHARACTERS * 32)
    except (ClientError, TimeoutError, OSError):
        return ""
    return raw.decode(errors="replace").replace("\x00", "")
