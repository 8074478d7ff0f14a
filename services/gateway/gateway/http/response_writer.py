"""Writes the head of a response together with the beginning of its body."""

from __future__ import annotations

import asyncio
from typing import Final

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
"""What a client waits for that has sent the head of its request alone."""


class ResponseWriter(asyncio.Transport):
    """
    The transport that uvicorn writes one response to.

    uvicorn writes head and body apart, and uvloop makes a system call and a packet of each. The
    head is held until what uvicorn does next: it writes, if only nothing, or closes.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._head: bytes | None = None
        """What is held; None before the head, and empty behind it."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._head is None and data != CONTINUE:
            self._head = bytes(data)
        elif self._head:
            held, self._head = self._head, b""
            self._transport.write(held + data)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self.write(b"")
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()
