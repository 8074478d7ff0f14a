"""A connection that speaks TLS, with the limits of every other one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import uvicorn

from gateway.http.connection import LimitedConnection
from gateway.http.server_config import ServerConfig
from gateway.http.tls_transport import TlsTransport


class TlsConnection(LimitedConnection):
    """
    Takes its place among the connections before its handshake, and is timed from then on.

    Of asyncio's own servers of TLS a protocol hears once the handshake has ended: any number of
    clients could begin one, and none would count.
    """

    def __init__(self, config: uvicorn.Config, *args: Any, **named: Any) -> None:
        super().__init__(config, *args, **named)
        assert isinstance(config, ServerConfig)  # noqa: S101  it names this class
        assert config.certificate is not None  # noqa: S101  likewise
        self._certificate = config.certificate
        self._handshake: asyncio.Task[None] | None = None
        self._early = b""
        """What came before TLS was there to read it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._take_place(transport)
        if not self._has_place:  # it gets to read that, if it is quick
            self._timer.start(self._limits.linger_seconds, lambda: self.close_for("silent"))
        self._handshake = self.loop.create_task(self._shake_hands(transport))

    def data_received(self, data: bytes) -> None:
        if self.flow is None:
            self._early += data
        else:
            super().data_received(data)

    async def _shake_hands(self, tcp: asyncio.Transport) -> None:
        """Speak HTTP once the handshake has ended; one that fails ends the connection."""
        if tcp.is_closing():
            return  # crowded out already: connection_lost follows
        self.loop.call_soon(self._pass_on, tcp)  # once start_tls has begun, and before it reads
        tls: asyncio.Transport | None = None
        with suppress(OSError):  # such as an SSLError
            tls = await self.loop.start_tls(
                tcp,
                asyncio.Protocol(),  # not self: it is told of some failures, and not of others
                self._certificate.context(),
                server_side=True,
                ssl_shutdown_timeout=self._limits.write_seconds,
            )
        if tls is None or tcp.is_closing():
            self.connection_lost(None)
        else:
            tls.set_protocol(self)
            self._begin(TlsTransport(tls, tcp, self))

    def _pass_on(self, tcp: asyncio.Transport) -> None:
        """Give TLS what came before it: the event loop reads as soon as a connection is made."""
        reader: Any = tcp.get_protocol()  # of start_tls: it is an asyncio.BufferedProtocol
        while self._early:
            room = reader.get_buffer(len(self._early))
            taken = min(len(room), len(self._early))
            room[:taken] = self._early[:taken]
            self._early = self._early[taken:]
            reader.buffer_updated(taken)
