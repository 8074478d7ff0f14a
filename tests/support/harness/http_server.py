"""The gateway's HTTP server over real sockets, in front of an application of a few lines."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from starlette.types import Message, Receive, Scope, Send

from gateway.http.certificate import Certificate
from gateway.http.connection_limits import ConnectionLimits
from gateway.http.server import Server
from support.builders.certificates import CertificateFiles

SECONDS = 0.4
LIMITS = ConnectionLimits(
    connections=4, head_seconds=SECONDS, write_seconds=SECONDS, linger_seconds=1
)
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"


@dataclass
class App:
    """Reads the body, except at /unread, and answers what it got; /large answers 64 MB."""

    scopes: list[Scope] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        if scope["path"] == "/held":
            await self.released.wait()
        if scope["path"] != "/unread":
            self.bodies.append(await _body(receive))
        body = b"x" * (64 << 20) if scope["path"] == "/large" else b"ok"
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


async def _body(receive: Receive) -> bytes:
    content, more = b"", True
    while more:
        message: Message = await receive()
        content += message.get("body", b"")
        more = message.get("more_body", False)
    return content


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110  what is waited for tells nobody
            await asyncio.sleep(0.01)


@dataclass
class Running:
    app: App
    server: Server
    port: int
    tls: ssl.SSLContext | None
    """What its clients trust; None where it speaks no TLS."""

    async def connect(self) -> Client:
        return Client(*await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls))

    async def connections(self, count: int) -> None:
        """Wait until the server has so many connections."""
        await eventually(lambda: len(self.server.server_state.connections) == count)


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, *parts: bytes) -> int:
        """Send parts and return the status of the answer; 0 where there is none."""
        with suppress(ConnectionError):
            for part in parts:
                self.writer.write(part)
                await self.writer.drain()
        return await self.status()

    async def status(self) -> int:
        async with asyncio.timeout(10):
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                head = await self.reader.readuntil(b"\r\n\r\n")
                self.head = head
                return int(head.split()[1])
        return 0

    async def problem(self) -> str:
        """Return the code of the problem; what the client still sends may reset the connection."""
        [length] = re.findall(rb"content-length: (\d+)", self.head)
        content = await self.reader.readexactly(int(length))
        code: str = json.loads(content)["code"]
        return code

    async def ended(self) -> bool:
        """Wait for the connection's end; return whether something came before it."""
        async with asyncio.timeout(5):
            with suppress(ConnectionError):
                return bool(await self.reader.read())
        return False


@asynccontextmanager
async def running(
    files: CertificateFiles | None = None, limits: ConnectionLimits = LIMITS
) -> AsyncIterator[Running]:
    """Serve HTTP, or HTTPS with the certificate in *files*."""
    app, stop = App(), asyncio.Event()
    certificate = Certificate(files.cert, files.key) if files else None
    server = Server(app, "127.0.0.1", 0, limits, certificate)
    task = asyncio.create_task(server.until(stop))
    await eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield Running(app, server, port, files.trusting() if files else None)
    stop.set()
    app.released.set()
    await task
