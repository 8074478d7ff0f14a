"""Reading the body of a request: its type, its encoding and a bound on its size."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request

from gateway.domain.problem_error import ProblemError
from gateway.http.memory_budget import Memory
from gateway.http.request_fields import fields
from order_contracts.decoding import parse

MAX_BODY: Final = 512 * 1024
BODY_SECONDS: Final = 60.0
"""How long a body may take to come."""
IS_WHOLE: Final = "is_whole"
"""The entry of a request's state that is true once all of its body has come."""
JSON: Final = "application/json"
_UTF8: Final = frozenset({"utf-8", "utf8", "us-ascii"})
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)


def media_type(request: Request) -> str:
    return fields(request.scope).get("content-type", "").partition(";")[0].strip().lower()


async def read_json(request: Request) -> Any:
    """Return the parsed body; raises ProblemError or Invalid."""
    return parse(await read_json_body(request, MAX_BODY))


async def read_json_body(request: Request, limit: int) -> bytes:
    """Return the body, which is said to be JSON; raises ProblemError."""
    if media_type(request) != JSON:
        raise ProblemError("UnsupportedMediaType", "Send the body as application/json.")
    return await read_body(request, limit)


async def read_body(request: Request, limit: int) -> bytes:
    """
    Return the body; raises ProblemError where it is compressed, not UTF-8, too large or too slow.

    Its bytes are reserved until the response was sent.
    """
    sent = fields(request.scope)
    if "content-encoding" in sent and _is_encoded(sent["content-encoding"]):
        raise ProblemError("UnsupportedMediaType", "Send the body without a Content-Encoding.")
    if _charset(sent) not in _UTF8:
        raise ProblemError("UnsupportedMediaType", "Send the body as UTF-8.")
    length = sent.get("content-length", "0")
    if length.isdigit() and int(length) > limit:
        raise body_too_large(limit)
    size = int(length) if "content-length" in sent and length.isdigit() else limit
    state = request.scope["state"]
    memory: Memory = state["memory"]
    await (memory.commands if limit <= MAX_BODY else memory.bulks).reserve(state, size)
    if state.get(IS_WHOLE):  # as nearly all are: then nothing is waited for
        return await _content(request, limit)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _content(request, limit)
    except TimeoutError:
        raise ProblemError("RequestTimeout", "The body came too slowly.") from None


async def _content(request: Request, limit: int) -> bytes:
    parts, size, more = [], 0, True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part, more = message["body"], message["more_body"]
        parts.append(part)
        size += len(part)
        if size > limit:  # a chunked body has no Content-Length
            raise body_too_large(limit)
    return b"".join(parts)


def body_too_large(limit: int) -> ProblemError:
    return ProblemError("TooLarge", f"The body is larger than {limit // 1024} KB.")


def _is_encoded(codings: str) -> bool:
    return bool(set(re.split(r"[,\s]+", codings.lower())) - {"", "identity"})


def _charset(sent: Mapping[str, str]) -> str:
    found = _CHARSET.search(sent.get("content-type", ""))
    return found[1].lower() if found else "utf-8"
