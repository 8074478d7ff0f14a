"""What is asked of a request before anything is done: a key, a scope, a type, a bounded body."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from gateway.problems import Refused
from order_runtime.api_keys import ApiKey, KeyFile, Scope

MAX_BODY: Final = 512 * 1024


def authorised(request: Request, keys: KeyFile, scope: Scope) -> ApiKey:
    """Return the caller's key; raises Refused where it has none or lacks the scope."""
    given = request.headers.get("apikey") or request.headers.get("x-api-key")
    key = keys.find(given) if given else None
    if key is None:
        challenge = {"WWW-Authenticate": 'ApiKey realm="orders"'}
        raise Refused("Unauthorized", "Send a valid key in the header apikey.", headers=challenge)
    if scope not in key.scopes:
        raise Refused("Forbidden", f"The key lacks the scope {scope}.")
    return key


async def json_body(request: Request, limit: int = MAX_BODY) -> bytes:
    """Return the body; raises Refused where it is not JSON by its type, or too large."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Refused("UnsupportedMediaType", "Send the body as application/json.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refused("UnsupportedMediaType", "Send the body without a Content-Encoding.")
    if int(request.headers.get("content-length") or 0) > limit:
        raise too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:  # a chunked body tells its length only by its end
            raise too_large(limit)
    return bytes(body)


def too_large(limit: int) -> Refused:
    return Refused("TooLarge", f"The body is larger than {limit // 1024} KB.")
