"""An automation trigger that accepts every webhook and knows which orders it was told of."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, cast

import httptools
import uvloop

ACCEPTED: Final = b"HTTP/1.1 204 No Content\r\n\r\n"


@dataclass
class WebhookSink:
    """The address it listens at, and what came; one thread writes, others may read."""

    url: str
    received: int = 0
    _orders: set[str] = field(default_factory=set)
    _arrival: threading.Condition = field(default_factory=threading.Condition)

    def take(self, body: bytes) -> None:
        order_id = json.loads(body)["data"]["order"]["orderId"]
        with self._arrival:
            self._orders.add(order_id)
            self.received += 1
            self._arrival.notify_all()

    def wait_for(self, order_id: str, seconds: float) -> None:
        """Return once a webhook of the order was received; fails after so many seconds."""
        with self._arrival:
            arrived = self._arrival.wait_for(lambda: order_id in self._orders, seconds)
        assert arrived, f"no webhook of {order_id} within {seconds} s"


class _Connection(asyncio.Protocol):
    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not asserted: uvloop's transports only look like it.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        self._take(body)
        assert self._transport is not None
        self._transport.write(ACCEPTED)


@contextmanager
def webhook_sink() -> Iterator[WebhookSink]:
    """Receive webhooks in a thread of its own."""
    ready, stop = threading.Event(), asyncio.Event()
    sink, loop = WebhookSink(""), uvloop.new_event_loop()

    async def serve() -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        server = await loop.create_server(lambda: _Connection(sink.take), sock=listening)
        sink.url = f"http://127.0.0.1:{listening.getsockname()[1]}/hook"
        ready.set()
        await stop.wait()
        server.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="webhooks")
    thread.start()
    ready.wait()
    try:
        yield sink
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
