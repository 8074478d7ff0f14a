"""One connection to an endpoint, over which one webhook at a time is sent."""

from __future__ import annotations

import asyncio
from typing import Final

from action_trigger.adapters.response_reader import ResponseReader

READ_SECONDS: Final = 5.0
"""How long the rest of a response is waited for, once its status is known."""


class Disconnected(ConnectionError):
    """The endpoint closed the connection before it answered."""


class HttpConnection(asyncio.Protocol):
    """Passes what is received to the reader of the response that is waited for."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._reader: ResponseReader | None = None
        self._failure: Exception | None = None
        self._changed = asyncio.Event()
        self.exchanges = 0
        """How many requests were sent over it."""

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def post(self, request: bytes, reader: ResponseReader) -> None:
        """
        Send a request and read the response into *reader*, as far as it comes in time.

        Raises OSError or BadStatusLine; where the reader has a status then, it counts.
        """
        if self._transport is None or not self.is_open:
            raise Disconnected
        self._reader = reader
        self.exchanges += 1
        self._transport.write(request)
        while reader.status is None:
            await self._received()
        async with asyncio.timeout(READ_SECONDS):
            while not reader.done:
                await self._received()
        self._reader = None

    def abort(self) -> None:
        """Close at once, without waiting for what isn't sent yet."""
        if self._transport is not None:
            self._transport.abort()

    async def _received(self) -> None:
        """Wait for more of the response; raises what ended the connection instead."""
        self._changed.clear()
        if self._failure is not None:
            raise self._failure
        await self._changed.wait()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._reader is None or self._reader.done:
            self.abort()  # nothing was asked for: the next response could be taken for another's
            return
        try:
            self._reader.feed(data)
        except ValueError as error:
            self._fail(error)
        self._changed.set()

    def eof_received(self) -> None:
        self._fail(Disconnected())

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or Disconnected())

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        if self._reader is not None:
            self._reader.end()
        self._changed.set()
        self.abort()
