"""An endpoint of bytes: it answers each webhook with what a test tells it, HTTP or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class RawEndpoint:
    """Reads each request whole, then writes `parts` one after the other."""

    parts: tuple[bytes, ...] = ()
    closes: bool = False
    """Whether it closes the connection then; else it stays silent."""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                await self._request(reader)
                for part in self.parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0.01)
                if self.closes:
                    break
        writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(
            int(it.partition(b":")[2]) for it in lines if it.startswith(b"content-length")
        )
        self.requests.append(head + await reader.readexactly(length))

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        yield
        server.close()
