"""A connection that posts one request after the other, at a small part of a server's cost."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from typing import Self, cast
from urllib.parse import urlsplit

import httptools


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes
    seconds: float


def request(method: str, url: str, body: bytes = b"", **headers: str) -> bytes:
    """Return a request as it goes over the wire; underscores in names of headers are dashes."""
    parts = urlsplit(url)
    lines = [
        f"{method} {parts.path} HTTP/1.1",
        f"host: {parts.netloc}",
        f"content-length: {len(body)}",
        "content-type: application/json",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


class HttpConnection(asyncio.Protocol):
    """Sends a request and reads its response, before the next one is sent."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""
        self._transport: asyncio.WriteTransport | None = None
        self._answered: asyncio.Future[Response] | None = None
        self._began = 0.0

    @classmethod
    async def to(cls, url: str, tls: ssl.SSLContext | None = None) -> Self:
        """Connect to the host and port of *url*, which *tls* trusts where it is https."""
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        host, port = parts.hostname or "", parts.port or 80
        _, connection = await loop.create_connection(cls, host, port, ssl=tls)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asserted: uvloop's transports only look like it.
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError("closed by the server"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        assert self._answered is not None
        seconds = time.perf_counter() - self._began
        status = self._parser.get_status_code()
        self._answered.set_result(Response(status, self._body, seconds))

    async def send(self, request: bytes) -> Response:
        assert self._transport is not None
        self._body = b""
        self._answered = asyncio.get_running_loop().create_future()
        self._began = time.perf_counter()
        self._transport.write(request)
        return await self._answered

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()
