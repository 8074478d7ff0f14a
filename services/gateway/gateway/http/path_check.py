"""ASGI middleware that refuses paths and queries which components could decode differently."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.domain.problem_error import ProblemError
from gateway.http.problems import problem_response

_ESCAPED_SLASH: Final = b"%2f"


class PathCheck:
    """Passes on requests whose path and query are UTF-8 and whose path has no escaped slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        error = _error(scope["raw_path"], scope["query_string"])
        app = self._app if error is None else problem_response(error)
        await app(scope, receive, send)


def _error(path: bytes, query: bytes) -> ProblemError | None:
    if b"%" not in path and path.isascii() and not query:
        return None  # as nearly all are
    if not _is_utf8(path) or not _is_utf8(query):
        return ProblemError("ValidationFailed", "The path and the query must be UTF-8.")
    if _ESCAPED_SLASH in path.lower():  # no id holds one, and unescaped it is another path
        return ProblemError("NotFound", "There is nothing at this path.")
    return None


def _is_utf8(escaped: bytes) -> bool:
    if b"%" not in escaped and escaped.isascii():
        return True
    try:
        unquote_to_bytes(escaped).decode()
    except UnicodeDecodeError:
        return False
    return True
