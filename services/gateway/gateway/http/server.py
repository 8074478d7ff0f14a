"""The HTTP server: uvicorn, which leaves when it is told, and refuses what isn't HTTP as we do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.http.problems import MEDIA_TYPE, ProblemError

DRAIN_SECONDS: Final = 10  # for requests in flight; whoever waits for a job is let go at once
KEEP_ALIVE_SECONDS: Final = 75  # above the minute for which clients and load balancers keep one


class Protocol(HttpToolsProtocol):
    """HTTP/1.1; what can't be parsed is answered with a problem too."""

    def send_400_response(self, msg: str) -> None:
        problem = ProblemError("ValidationFailed", msg).response()
        head = (
            f"HTTP/1.1 400 Bad Request\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(problem.body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + bytes(problem.body))
        self.transport.close()


class Server(uvicorn.Server):
    """Serves until it is told to stop: then no new requests, those in flight answered."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=Protocol,
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=DRAIN_SECONDS,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )

    async def until(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as tasks:
            leaving = tasks.create_task(self._leave_on(stop))
            await self.serve()
            leaving.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: uvicorn would raise them again, and nothing would be flushed."""
        yield

    async def _leave_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.should_exit = True
