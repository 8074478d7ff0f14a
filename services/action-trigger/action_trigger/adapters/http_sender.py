"""Sends one webhook over HTTP: a single request, of whose response an excerpt is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from yarl import URL

from action_trigger.adapters.http_connections import HttpConnections, origin_of
from action_trigger.adapters.response_reader import ResponseReader
from action_trigger.domain.endpoint import Endpoint
from action_trigger.domain.retry_policy import NoResponse, Response
from action_trigger.domain.webhooks import signature_headers
from order_contracts.trace_context import TRACEPARENT

EXCERPT_CHARACTERS: Final = 256
_HEADERS: Final = MappingProxyType(
    {
        "content-type": "application/json",
        "accept": "*/*",
        "accept-encoding": "identity",
        "user-agent": "ordermill-action-trigger",
    }
)


@dataclass(frozen=True, slots=True)
class SendResult:
    sent_at: datetime
    duration: timedelta
    response: Response | NoResponse
    excerpt: str
    """The first characters of the response, or why there was none; secrets are masked."""


class HttpSender:
    """Sends webhooks to one endpoint."""

    def __init__(self, http: HttpConnections, endpoint: Endpoint) -> None:
        self._http = http
        self._url = URL(endpoint.url)
        self._keys = endpoint.keys
        self._own_headers = endpoint.own_headers
        self._secrets = tuple(text for text in (*self._keys, *self._own_headers.values()) if text)
        self.timeout_seconds = endpoint.timeout_seconds
        self.rate = endpoint.rate

    async def send(
        self, action_id: str, body: str, at: datetime, traceparent: str | None = None
    ) -> SendResult:
        """
        Send once; redirects are not followed, and a failure to connect is a result too.

        *traceparent* is well-formed.
        """
        clock = asyncio.get_running_loop().time
        started = clock()
        headers = dict(signature_headers(body, action_id=action_id, at=at, secrets=self._keys))
        if traceparent is not None:
            headers[TRACEPARENT] = traceparent
        response, excerpt = await self._try_post(body, headers)
        return SendResult(at, timedelta(seconds=clock() - started), response, excerpt)

    async def _try_post(
        self, body: str, headers: Mapping[str, str]
    ) -> tuple[Response | NoResponse, str]:
        """Return the response as soon as there is a status, whatever becomes of the rest."""
        reader, reason = ResponseReader(), "timeout"
        try:
            async with asyncio.timeout(self.timeout_seconds):
                request = self._request(body.encode(), headers)
                await self._http.post(origin_of(self._url), request, reader)
        except TimeoutError:
            pass
        except (OSError, ValueError) as error:  # ValueError: an unusable URL, or no HTTP
            reason = type(error).__name__
        if reader.status is None:
            return NoResponse(reason), reason
        return Response(reader.status, reader.fields.get("retry-after")), self._excerpt(
            bytes(reader.body)
        )

    def _request(self, body: bytes, added: Mapping[str, str]) -> bytes:
        own = {name.lower(): value for name, value in {**self._own_headers, **added}.items()}
        headers = {"host": self._url.host_port_subcomponent, **_HEADERS, **own}
        lines = [f"POST {self._url.raw_path_qs} HTTP/1.1", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join((*lines, "", "")).encode() + body

    def _excerpt(self, body: bytes) -> str:
        # More than is kept, so that a secret at the edge of the excerpt is masked too.
        text = body[: EXCERPT_CHARACTERS * 32].decode(errors="replace").replace("\x00", "")
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text[:EXCERPT_CHARACTERS]
