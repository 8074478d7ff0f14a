"""Many clients, each of which sends its next request once the last one is answered."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import uvloop

from bench.load.http_connection import HttpConnection


@dataclass(frozen=True, slots=True)
class HttpLoad:
    """What a load came to: seconds as a whole, and of each response."""

    seconds: float
    latencies: Sequence[float]


def send_all(
    url: str,
    requests: Sequence[bytes],
    *,
    clients: int,
    status: int,
    tls: ssl.SSLContext | None = None,
) -> HttpLoad:
    """Send all *requests*; fails where one is answered with another *status*."""
    return uvloop.run(_send_all(url, requests, clients, status, tls))


async def _send_all(
    url: str, requests: Sequence[bytes], clients: int, status: int, tls: ssl.SSLContext | None
) -> HttpLoad:
    connections = [await HttpConnection.to(url, tls) for _ in range(clients)]
    left, took = iter(requests), list[float]()
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for connection in connections:
            group.create_task(_send(connection, left, took, status))
    seconds = time.perf_counter() - began
    _close(connections)
    return HttpLoad(seconds, took)


async def _send(
    connection: HttpConnection, requests: Iterator[bytes], took: list[float], status: int
) -> None:
    for request in requests:
        response = await connection.send(request)
        assert response.status == status, response
        took.append(response.seconds)


def _close(connections: Iterable[HttpConnection]) -> None:
    for connection in connections:
        connection.close()
