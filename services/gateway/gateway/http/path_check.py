"""Addresses that could be read in two ways are refused before anything is looked for."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.problems import ProblemError

_SLASH: Final = b"%2f"


class PathCheck:
    """Lets through requests whose path and query are UTF-8, and whose path hides no slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal(scope["raw_path"], scope["query_string"])
        answer = self._app if refusal is None else refusal.response()
        await answer(scope, receive, send)


def _refusal(path: bytes, query: bytes) -> ProblemError | None:
    if not _is_utf8(path) or not _is_utf8(query):
        return ProblemError("ValidationFailed", "The path and the query must be UTF-8.")
    if _SLASH in path.lower():  # no id holds one, so it would only pass for another path
        return ProblemError("NotFound", "There is nothing at this path.")
    return None


def _is_utf8(escaped: bytes) -> bool:
    try:
        unquote_to_bytes(escaped).decode()
    except UnicodeDecodeError:
        return False
    return True
