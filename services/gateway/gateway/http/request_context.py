"""ASGI middleware around every request: its id, the access log, the answer to a crash."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from prometheus_client import Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import log_events, metrics
from gateway.domain.field_values import FieldValues
from gateway.http.memory_budget import Reservation
from gateway.http.problems import internal_error
from gateway.http.request_fields import fields
from gateway.http.request_span import RequestSpan
from order_runtime.documents.document import UnreadableStored
from order_runtime.process.logs import error_fields, log, trace_fields
from order_runtime.process.unreadable import report

NO_STORE: Final = (b"cache-control", b"private, no-store")
"""The Cache-Control of every answer: a shared cache may keep one that was asked for by `apikey`."""
_NO_FIELDS: Final[Mapping[str, object]] = MappingProxyType({})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})
_RANDOM: Final = random.Random()  # noqa: S311  what it draws is told to everybody
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)


class RequestContext:
    """
    The outermost layer.

    *logged* is given the facts of each request. They name the route, never the path or the query,
    since those may hold personal data.
    """

    def __init__(self, app: ASGIApp, logged: Callable[[Mapping[str, object]], None]) -> None:
        self._app, self._logged = app, logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, send)
        try:
            await self._app(scope, receive, exchange.send)
        except ClientDisconnect:
            pass  # there is no connection left to answer on
        except Exception as error:  # noqa: BLE001  every failure is logged and answered
            facts: dict[str, object] = {"request_id": exchange.request_id, **error_fields(error)}
            facts |= exchange.trace_fields()
            if isinstance(error, UnreadableStored):
                report(error)
                facts |= error.facts
            log().error(log_events.REQUEST_FAILED, **facts)
            if not exchange.status:
                await internal_error()(scope, receive, exchange.send)
        finally:
            exchange.release()
            exchange.observe()
            self._logged(exchange.facts())


class Exchange:
    """One request and its response."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._started, self._method, self._send = time.perf_counter(), scope["method"], send
        self._seconds = 0.0
        self._state: dict[str, Any] = scope.setdefault("state", {})
        given = fields(scope)
        self.request_id = _request_id(given)
        self._waits = "wait" in given.get("prefer", "")
        self.status = 0
        """Of the response; 0 until it has started."""
        self._reservations: list[Reservation] = self._state.setdefault("reservations", [])

    async def send(self, message: Message) -> None:
        """Pass a message on; a response gets the request's id, rate limit and NO_STORE."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            limits: Mapping[str, str] = self._state.get("headers", {})
            message["headers"] = [
                *message["headers"],
                (b"x-request-id", self.request_id.encode()),
                NO_STORE,
                *((name.lower().encode(), value.encode()) for name, value in limits.items()),
            ]
        await self._send(message)

    def release(self) -> None:
        """Give back what memory was reserved."""
        for reservation in self._reservations:
            reservation.release()

    def observe(self) -> None:
        """Count the request and its duration, by route; what is no call counts together."""
        self._seconds = time.perf_counter() - self._started
        route = self._state.get("route")
        call = (self._method, route) if route and self._method in _METHODS else ("other", "other")
        outcome = f"{self.status // 100}xx" if self.status else "5xx"
        if self._waits and outcome == "2xx":
            outcome = "waited"
        _series(*call, outcome).observe(self._seconds)
        span: RequestSpan | None = self._state.get("span")
        if span is not None:
            span.end(self._method, call[1], self.status, self._seconds)

    def trace_fields(self) -> Mapping[str, object]:
        """Return the id of the request's trace, nothing where it isn't recorded."""
        span: RequestSpan | None = self._state.get("span")
        return trace_fields(span.traceparent) if span is not None else _NO_FIELDS

    def facts(self) -> Mapping[str, object]:
        """Return what the access log tells of the request."""
        return {
            "method": self._method,
            "route": self._state.get("route"),
            "status": self.status,
            "milliseconds": round(self._seconds * 1000, 1),
            "request_id": self.request_id,
            "client": self._state.get("client"),
            "key_id": self._state.get("key_id"),
            **self.trace_fields(),
        }


@cache
def _series(method: str, route: str, outcome: str) -> Histogram:
    """Return a series of the metric, which takes longer to find than to count in."""
    return metrics.REQUEST_SECONDS.labels(method, route, outcome)


def _request_id(given: FieldValues) -> str:
    wanted = given.get("x-request-id")
    if wanted is not None and _REQUEST_ID.fullmatch(wanted):
        return wanted
    return f"{_RANDOM.getrandbits(128):032x}"
