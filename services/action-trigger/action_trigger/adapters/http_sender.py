"""One webhook over HTTP: sent once, answered or not, and never more of the answer than a glance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
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

from action_trigger.adapters.endpoint_config import Endpoint
from action_trigger.adapters.ssrf_guard import PublicOnlyResolver
from action_trigger.domain.webhooks import Answer, NoAnswer, signature_headers

KEPT_ANSWER_BYTES: Final = 256  # bytes of the answer that are kept
IDLE_SECONDS: Final = 15.0
_HEADERS: Final = MappingProxyType(
    {
        "Content-Type": "application/json",
        "User-Agent": "ordermill-action-trigger",
        "Accept-Encoding": "identity",
    }
)


@dataclass(frozen=True, slots=True)
class Reply:
    answer: Answer | NoAnswer
    glance: str
    """The first bytes of the answer, secrets blotted out."""


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
    """Sends to one endpoint."""

    def __init__(self, over: ClientSession, endpoint: Endpoint) -> None:
        self._session = over
        self._url = endpoint.url
        self._keys = endpoint.keys
        self._own = endpoint.own_headers
        self._timeout = ClientTimeout(total=endpoint.timeout_seconds)
        self._secrets = tuple(text for text in (*self._keys, *self._own.values()) if text)
        self.timeout_seconds = endpoint.timeout_seconds
        self.rate = endpoint.rate

    async def send(self, action_id: str, body: str, at: datetime) -> Reply:
        """Send once; redirects are not followed, failures are answers too."""
        headers = {
            **self._own,
            **signature_headers(body, action_id=action_id, at=at, secrets=self._keys),
        }
        try:
            return await self._post(body.encode(), headers)
        except TimeoutError:
            return Reply(NoAnswer("timeout"), "")
        except (ClientError, OSError, ValueError) as error:  # the last: it can't even be asked
            return Reply(NoAnswer(type(error).__name__), "")

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        async with self._session.post(
            self._url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
        ) as response:
            answer = Answer(response.status, response.headers.get("Retry-After"))
            return Reply(answer, self._blotted(await _glance(response)))

    def _blotted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text[:KEPT_ANSWER_BYTES]


async def _glance(response: ClientResponse) -> str:
    """Read a little of the body; the status counts even where its body breaks off."""
    try:
        # More than is kept: a secret on the edge must be seen whole to be blotted out.
        raw = await response.content.read(KEPT_ANSWER_BYTES * 32)
    except (ClientError, TimeoutError, OSError):
        return ""
    return raw.decode(errors="replace").replace("\x00", "")
