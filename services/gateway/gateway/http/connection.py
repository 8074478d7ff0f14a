"""One connection: HTTP/1.1 by httptools and uvicorn, bounded in bytes and in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, NoReturn

import httptools
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.utils import get_remote_addr

from gateway import metrics
from gateway.domain.field_values import OPTIONAL_WHITESPACE
from gateway.domain.problem_error import RETRY_SOON, ProblemError
from gateway.http.problems import problem_response
from gateway.http.request_body import IS_WHOLE
from gateway.http.response_sender import ResponseSender
from gateway.http.server_config import ServerConfig
from gateway.http.timer import Timer

MAX_HEAD: Final = 64 * 1024  # bytes of a request line with its headers, and of trailers
MAX_FIELDS: Final = 128  # header fields of a request
FRAMING: Final = 4  # bytes of a header line beside name and value
MAX_PASSED_OVER: Final = 10 * 1024 * 1024
"""Bytes of those that nobody needs: the rest of a body is worth it, a flood is not."""


class LimitedConnection(HttpToolsProtocol):
    """
    Refuses with a problem what is no HTTP, what is too large, and what comes too slowly.

    httptools keeps what it can't pass on yet, such as the beginning of a header: what was fed
    since it last called back bounds that.
    """

    def __init__(self, config: uvicorn.Config, *args: Any, **named: Any) -> None:
        super().__init__(config, *args, **named)
        assert isinstance(config, ServerConfig)  # noqa: S101  it names this class
        self._limits, self._pace = config.limits, config.pace
        self.waiting_since: float | None = self.loop.time()
        """Since when it has had no complete request to answer; None while it has one."""
        self.served = 0
        """How many requests it has made."""
        self._timer, self._write_timer = Timer(self.loop), Timer(self.loop)
        self._has_place, self.is_trusted = True, False
        self._in_head = self._in_message = self._refused = False
        self._refusal: ProblemError | None = None
        self._kept_by_parser = self._head_bytes = self._head_fields = self._passed_over = 0

    def close_for(self, reason: str) -> None:
        """Close at once; *reason* is that of the metric."""
        metrics.CONNECTIONS_CLOSED.labels(reason).inc()
        self.connections.discard(self)
        self.transport.abort()

    # From the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._take_place(transport)
        self._begin(transport)

    def _take_place(self, transport: asyncio.Transport) -> None:
        """Count and time the connection, whatever will be spoken on it."""
        self.transport = transport
        self.connections.add(self)
        client = get_remote_addr(transport)
        self.is_trusted = client is not None and self._limits.trust(client[0])
        metrics.CONNECTIONS.inc()
        self._timer.start(self._limits.head_seconds, self._head_is_late)
        is_full = len(self.connections) > self._limits.connections
        self._has_place = not is_full or self._make_room()

    def _begin(self, transport: asyncio.Transport) -> None:
        """Speak HTTP over *transport*."""
        super().connection_made(transport)
        if not self._has_place:
            detail = "All connections are in use; try again."
            self._refuse(ProblemError("Overloaded", detail, headers=RETRY_SOON))

    def connection_lost(self, exc: Exception | None) -> None:
        metrics.CONNECTIONS.dec()
        self._timer.stop()
        self._write_timer.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused or (self._in_message and not self._in_head and self.waiting_since):
            self._pass_over(len(data))
        if self._refused:
            return
        between, served = not self._in_message, self.served
        self._kept_by_parser += len(data)
        super().data_received(data)
        is_begun = self._in_head or (between and self.served == served)
        if is_begun and not self._timer.runs:
            self._timer.start(self._limits.head_seconds, self._head_is_late)
        if self._kept_by_parser > MAX_HEAD and not self._refused:
            self._refuse(self._too_large())

    def pause_writing(self) -> None:
        super().pause_writing()
        if not self._write_timer.runs:
            self._write_timer.start(self._limits.write_seconds, lambda: self.close_for("unread"))

    def resume_writing(self) -> None:
        self._write_timer.stop()
        super().resume_writing()

    # From the parser

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = self._in_message = True
        self._kept_by_parser = self._head_bytes = self._head_fields = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._kept_by_parser = 0
        self._head_bytes += len(url)
        if self._head_bytes > MAX_HEAD:
            self._refuse_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._kept_by_parser = 0
        self._head_fields += 1
        self._head_bytes += len(name) + len(value) + FRAMING
        if self._head_bytes > MAX_HEAD or self._head_fields > MAX_FIELDS:
            self._refuse_head()
        if not self._in_head:
            return  # a trailer, which nobody asked for
        name = name.lower()
        if name == b"expect":
            super().on_header(name, value.strip(OPTIONAL_WHITESPACE.encode()))
        else:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._in_head, self._kept_by_parser = False, 0
        self._head_bytes = self._head_fields = 0
        self._timer.stop()
        self.waiting_since = None
        self.served += 1
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        self._kept_by_parser = 0

    def on_body(self, body: bytes) -> None:
        self._kept_by_parser = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_message, self._kept_by_parser = False, 0
        self._timer.stop()
        self.scope["state"][IS_WHOLE] = True
        super().on_message_complete()
        if self.cycle.response_complete:
            self._keep_alive()

    # From the response

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]
        def answer(scope: Scope, receive: Receive, _: Send) -> Awaitable[None]:
            return app(scope, receive, ResponseSender(cycle).send)

        super()._start_asgi_task(cycle, answer)  # type: ignore[arg-type]

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing() or self.pipeline or not self.cycle.response_complete:
            return
        self.waiting_since = self.loop.time()
        if self._in_message:
            self._unset_keepalive_if_required()
            linger = self._limits.linger_seconds
            self._timer.start(linger, lambda: self.close_for("body not needed"))

    def timeout_keep_alive_handler(self) -> None:
        self.transport.abort() if self._unread else super().timeout_keep_alive_handler()

    # Refusals

    def _pass_over(self, size: int) -> None:
        """Count bytes that nobody needs; from the bound on they are left where they are."""
        self._passed_over += size
        if self.transport.is_closing():
            return
        self.transport.pause_reading()
        if self._passed_over <= MAX_PASSED_OVER:
            seconds = self._pace.seconds_after(size, self.loop.time())
            self.loop.call_later(seconds, self._read_on)

    def _read_on(self) -> None:
        if not self.transport.is_closing() and not self.flow.read_paused:
            self.transport.resume_reading()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal or ProblemError("ValidationFailed", msg))

    def _refuse_head(self) -> NoReturn:
        """Tell the parser that the head is too large: it is read no further."""
        self._refusal = self._too_large()
        raise httptools.HttpParserError

    def _too_large(self) -> ProblemError:
        if self._in_head and len(self.url) > MAX_HEAD:
            return ProblemError("ValidationFailed", "The path is too long.")
        detail = f"The headers are more than {MAX_HEAD // 1024} KB, or than {MAX_FIELDS} fields."
        return ProblemError("HeadersTooLarge", detail)

    def _head_is_late(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._timer.start(self._limits.head_seconds, self._head_is_late)  # it is answered first
        elif self._in_head:
            self._refuse(ProblemError("RequestTimeout", "The headers came too slowly."))
        else:
            self.close_for("silent")

    def _refuse(self, error: ProblemError) -> None:
        """Answer outside of the application, and pass over what comes until the client has read."""
        self._refused = True
        self._passed_over = MAX_PASSED_OVER - MAX_HEAD  # of a head, nothing more is worth reading
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        response = problem_response(error)
        metrics.CONNECTIONS_CLOSED.labels(error.problem.code).inc()
        head = [f"HTTP/1.1 {response.status_code} {error.problem.title}", "connection: close"]
        head += [f"{name}: {value}" for name, value in response.headers.items()]
        self.transport.write("\r\n".join((*head, "", "")).encode() + bytes(response.body))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer.start(self._limits.linger_seconds, self.transport.abort)

    def _make_room(self) -> bool:
        """Close the connection that has waited longest, first of those that asked for nothing."""
        waiting = [
            (each.served > 0, each.waiting_since, each)
            for each in self.connections
            if isinstance(each, LimitedConnection)
            and each is not self
            and each.waiting_since is not None
            and not each.is_trusted
        ]
        if waiting:
            min(waiting, key=lambda it: it[:2])[2].close_for("crowded out")
        return bool(waiting)

    @property
    def _unread(self) -> int:
        return self.transport.get_write_buffer_size()

    def _keep_alive(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )
