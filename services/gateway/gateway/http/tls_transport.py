"""The transport of a connection that speaks TLS: it says what is unsent, and waits for nobody."""

from __future__ import annotations

import asyncio
from typing import Any, Final

HIGH_WATER: Final = 64 * 1024
LOW_WATER: Final = 16 * 1024
"""Bytes that are unsent: above the one the protocol is told to pause, at the other to resume."""
LOOK_SECONDS: Final = 0.05
"""How often it is looked, while the protocol pauses."""


class TlsTransport(asyncio.Transport):
    """
    The event loop's transport of TLS, which behaves as that of TCP below it would.

    By itself it takes for sent what it has handed to TCP: a client that doesn't read its answer
    would not be noticed. And it would wait for a client to confirm the end of the connection,
    which many never do.
    """

    def __init__(
        self, tls: asyncio.Transport, tcp: asyncio.Transport, protocol: asyncio.Protocol
    ) -> None:
        super().__init__()
        self._tls, self._tcp, self._protocol = tls, tcp, protocol
        self._loop = asyncio.get_running_loop()
        self._paused = False
        tls.set_write_buffer_limits(high=1 << 30)  # it is not to say when to pause and to resume

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._tls.write(data)
        if not self._paused and self.get_write_buffer_size() > HIGH_WATER:
            self._paused = True
            self._protocol.pause_writing()
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        """Let the protocol resume once little is unsent, which nobody tells."""
        if self.get_write_buffer_size() > LOW_WATER:
            self._loop.call_later(LOOK_SECONDS, self._look)
        else:
            self._paused = False
            self._protocol.resume_writing()

    def get_write_buffer_size(self) -> int:
        return self._tls.get_write_buffer_size() + self._tcp.get_write_buffer_size()

    def close(self) -> None:
        """Send what is left and the end of TLS, then close."""
        self._tls.close()
        if not self._tls.get_write_buffer_size():
            self._tcp.close()

    def abort(self) -> None:
        self._tls.abort()

    def is_closing(self) -> bool:
        return self._tls.is_closing()

    def pause_reading(self) -> None:
        self._tls.pause_reading()

    def resume_reading(self) -> None:
        self._tls.resume_reading()

    def can_write_eof(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._tls.get_extra_info(name, default)
