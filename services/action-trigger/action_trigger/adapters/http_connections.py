"""Connections to endpoints: opened to public addresses alone, and used again while they last."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiohappyeyeballs import AddrInfoType, start_connection
from yarl import URL

from action_trigger.adapters.http_connection import HttpConnection
from action_trigger.adapters.response_reader import ResponseReader
from action_trigger.adapters.ssrf_guard import public_only

IDLE_SECONDS: Final = 15.0  # after which an unused connection is closed
NEXT_ADDRESS_SECONDS: Final = 0.25  # after which the next of a name's addresses is tried as well


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections lead to."""

    host: str
    port: int
    tls: bool


def origin_of(url: URL) -> Origin:
    """Return the origin of an http or https URL; raises ValueError where it names none."""
    if not url.raw_host or not url.port:
        raise ValueError("the URL names no host")
    return Origin(url.raw_host, url.port, url.scheme == "https")


class HttpConnections:
    """Posts requests, each over an idle connection to its origin or a new one."""

    def __init__(self, *, allow_private_addresses: bool) -> None:
        self._allow_private_addresses = allow_private_addresses
        self._idle: defaultdict[Origin, list[HttpConnection]] = defaultdict(list)
        self._tls = ssl.create_default_context()
        self._tls.set_alpn_protocols(["http/1.1"])

    async def post(self, origin: Origin, request: bytes, reader: ResponseReader) -> None:
        """Send a request and read the response; raises as `HttpConnection.post` does."""
        connection = self._take(origin) or await self._open(origin)
        try:
            await connection.post(request, reader)
        finally:
            if reader.reusable and connection.is_open:
                self._keep(origin, connection)
            else:
                connection.abort()

    def close(self) -> None:
        for connections in self._idle.values():
            for connection in connections:
                connection.abort()
        self._idle.clear()

    def _take(self, origin: Origin) -> HttpConnection | None:
        """Return the connection that was used last, since it is the likeliest to be open."""
        idle = self._idle[origin]
        while idle:
            connection = idle.pop()
            if connection.is_open:
                return connection
        return None

    def _keep(self, origin: Origin, connection: HttpConnection) -> None:
        idle, used = self._idle[origin], connection.exchanges
        idle.append(connection)

        def expire() -> None:
            if connection.exchanges == used:
                connection.abort()
                if connection in idle:
                    idle.remove(connection)

        asyncio.get_running_loop().call_later(IDLE_SECONDS, expire)

    async def _open(self, origin: Origin) -> HttpConnection:
        """Connect to one of the addresses of a name; raises OSError."""
        loop = asyncio.get_running_loop()
        sock = await start_connection(
            await self._addresses(origin), happy_eyeballs_delay=NEXT_ADDRESS_SECONDS, interleave=1
        )
        name = origin.host if origin.tls else None
        tls = self._tls if origin.tls else None
        _, connection = await loop.create_connection(
            HttpConnection, sock=sock, ssl=tls, server_hostname=name
        )
        return connection

    async def _addresses(self, origin: Origin) -> list[AddrInfoType]:
        found: list[AddrInfoType] = [
            *await asyncio.get_running_loop().getaddrinfo(
                origin.host, origin.port, type=socket.SOCK_STREAM
            )
        ]
        return found if self._allow_private_addresses else public_only(found)


@asynccontextmanager
async def http_connections(*, allow_private_addresses: bool) -> AsyncIterator[HttpConnections]:
    """Yield connections that are closed at the end."""
    connections = HttpConnections(allow_private_addresses=allow_private_addresses)
    try:
        yield connections
    finally:
        connections.close()
