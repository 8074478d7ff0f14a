"""ASGI middleware around every request: its id, the access log, the answer to a crash."""

from __future__ import annotations

import re
import time
from typing import Any, Final
from uuid import uuid4

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.http.problems import internal_error
from order_runtime.process.logs import error_fields, log

_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,128}", re.ASCII)


class RequestContext:
    """
    The outermost layer.

    The log names the route, never the path or the query, since those may hold personal data.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, request_id = time.perf_counter(), _request_id(scope)
        state: dict[str, Any] = scope.setdefault("state", {})
        status = 0

        async def send_with_headers(message: Message) -> None:
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
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            pass  # there is no connection left to answer on
        except Exception as error:  # noqa: BLE001  every failure is logged and answered
            log().error("request failed", request_id=request_id, **error_fields(error))
            if not status:
                await internal_error()(scope, receive, send_with_headers)
        finally:
            log().info(
                "request",
                method=scope["method"],
                route=state.get("route"),
                status=status,
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
                request_id=request_id,
                client=state.get("client"),
            )


def _request_id(scope: Scope) -> str:
    given = Request(scope).headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex
