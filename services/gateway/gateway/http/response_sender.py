"""Sends the answer to one request: at once where it is whole, else as uvicorn does."""

from __future__ import annotations

from typing import Final

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

CLOSE: Final = (b"connection", b"close")
_END_OF_LINE: Final = b"\r\n"
_LENGTH: Final = b"\r\ncontent-length: "


class ResponseSender:
    """
    Takes the ASGI messages of one response.

    uvicorn writes head and body apart, and uvloop makes a system call and a packet of each. So the
    head is held until the body begins: one that is all there leaves with it in one write.
    """

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._start: Message | None = None
        """What begins the response, and wasn't written yet."""

    async def send(self, message: Message) -> None:
        cycle = self._cycle
        if message["type"] == "http.response.start" and self._start is None:
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None:
            if self._takes_all(message) and _LENGTH in (head := self._head(start)):
                self._end_with(head + message["body"])
                return
            await cycle.send(start)  # type: ignore[arg-type]
        await cycle.send(message)  # type: ignore[arg-type]

    def _takes_all(self, body: Message) -> bool:
        """Return whether the client takes *body*, and nothing comes behind it."""
        cycle = self._cycle
        is_head = cycle.scope["method"] == "HEAD"  # whose response has nothing behind its head
        gone_or_slow = cycle.disconnected or cycle.flow.write_paused
        return not (body.get("more_body") or is_head or gone_or_slow)

    def _head(self, start: Message) -> bytes:
        """Return the head; raises ValueError where a header would end its line by itself."""
        headers = start["headers"]
        cycle = self._cycle
        if CLOSE in headers:
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            headers = [*headers, CLOSE]
        lines = [b"%b: %b\r\n" % header for header in headers]
        head = b"".join((STATUS_LINE[start["status"]], *lines, _END_OF_LINE))
        if head.count(b"\n") != len(lines) + 2 or head.count(b"\r") != len(lines) + 2:
            raise ValueError("a header of the response holds the end of a line")
        return head

    def _end_with(self, response: bytes) -> None:
        cycle = self._cycle
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.message_event.set()
        cycle.transport.write(response)
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
