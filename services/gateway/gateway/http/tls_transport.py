"""The transport of a connection that speaks TLS: it says what is unsent, and waits for nobody."""

from __future__ import annotations

import asyncio
from typing import Any, Final

PIECE: Final = 64 * 1024
"""Bytes that are encrypted at once."""


class TlsTransport(asyncio.Transport):
    """
    The event loop's transport of TLS, which behaves as that of TCP below it would.

    By itself it would encrypt all that is written and hand it down, where nobody counts it: a
    client that doesn't read its answer would not be noticed. And it would wait for a client to
    confirm the end of the connection, which many never do.
    """

    def __init__(self, tls: asyncio.Transport, tcp: asyncio.Transport) -> None:
        super().__init__()
        self._tls, self._tcp = tls, tcp
        tls.set_write_buffer_limits(high=PIECE)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write by the piece: once TCP takes no more, what is left counts as unsent."""
        view = memoryview(data)
        for at in range(0, len(view), PIECE):
            self._tls.write(view[at : at + PIECE])

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
