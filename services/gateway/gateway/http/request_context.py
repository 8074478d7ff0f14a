"""Around every request: its id, a line in the access log, and an answer whatever happens."""

from __future__ import annotations

import re
import time
from typing import Any, Final
from uuid import uuid4

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.problems import ProblemError
from order_runtime.process.logs import error_fields, log

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)


class RequestContext:
    """
    The outermost layer, as plain ASGI.

    The log names the route, never the path or the query: those may hold what a person is known by.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, request_id = time.perf_counter(), _request_id(scope)
        state: dict[str, Any] = scope.setdefault("state", {})
        status = 0

        async def answering(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                added = {"x-request-id": request_id, **state.get("headers", {})}
                message["headers"] = [
                    *message["headers"],
                    *((name.lower().encode(), value.encode()) for name, value in added.items()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, answering)
        except ClientDisconnect:
            pass  # nobody is left to be answered
        except Exception as error:  # noqa: BLE001  nobody is told less than that it failed
            log().error("request failed", request_id=request_id, **error_fields(error))
            if not status:
                await internal_error()(scope, receive, answering)
        finally:
            log().info(
                "request",
                method=scope["method"],
                route=state.get("route"),
                status=status,
                milliseconds=round((time.perf_counter() - began) * 1000, 1),
                request_id=request_id,
                client=state.get("client"),
            )


def internal_error() -> Response:
    return ProblemError("InternalError", "Something went wrong here; it was logged.").response()


def _request_id(scope: Scope) -> str:
    given = Request(scope).headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex
