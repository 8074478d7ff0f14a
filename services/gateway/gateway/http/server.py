"""The HTTP server: uvicorn with a graceful stop by event, and limits of connections."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from gateway.http.certificate import Certificate
from gateway.http.connection import LimitedConnection
from gateway.http.connection_limits import ConnectionLimits
from gateway.http.server_config import ServerConfig
from gateway.http.tls_connection import TlsConnection

DRAIN_SECONDS: Final = 10  # for requests in flight; those that wait for a job are answered at once
KEEP_ALIVE_SECONDS: Final = 75  # above the 60 s after which most clients and balancers close


class Server(uvicorn.Server):
    """Serves until an event: then no new requests are taken, and those in flight are answered."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        limits: ConnectionLimits | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        """Serve HTTP, or with a certificate HTTPS alone."""
        super().__init__(
            ServerConfig(
                app,
                TlsConnection if certificate else LimitedConnection,
                limits or ConnectionLimits(),
                certificate,
                host=host,
                port=port,
                lifespan="off",
                ws="none",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=DRAIN_SECONDS,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )

    async def until(self, stop: asyncio.Event) -> None:
        """Serve until *stop* is set, or raise what ended the server."""
        async with asyncio.TaskGroup() as tasks:
            stopper = tasks.create_task(self._exit_on(stop))
            await self.serve()
            stopper.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signals: uvicorn would raise them again after it stopped, before the flush."""
        yield

    async def _exit_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.should_exit = True
