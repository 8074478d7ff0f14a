"""What is asked of a request before anything is done: a key, a scope, a type, a bounded body."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from gateway.domain.query_params import refuse_unknown
from gateway.http.problems import ProblemError
from gateway.http.rate_limits import RateLimits
from order_contracts.decoding import parse
from order_runtime.auth.api_keys import ApiKey, KeyFile, Scope

MAX_BODY: Final = 512 * 1024
JSON: Final = "application/json"
_UTF8: Final = frozenset({"utf-8", "utf8", "us-ascii"})
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([^";\s]*)', re.IGNORECASE)
_READABLE: Final = frozenset(
    {"*/*", "application/*", JSON, "application/problem+json", "application/*+json"}
)


@dataclass(frozen=True, slots=True)
class Admission:
    """Lets requests in."""

    keys: KeyFile
    rates: RateLimits

    def admit(self, request: Request, scope: Scope, query: Iterable[str] = ()) -> ApiKey:
        """Return the caller's key; raises Refused or Invalid for who or what can't come in."""
        key = self._known(request)
        request.state.client = key.id
        request.state.headers = self.rates.count(key)
        if scope not in key.scopes:
            raise ProblemError("Forbidden", f"The key lacks the scope {scope}.")
        _check_accept(request)
        refuse_unknown((name for name, _ in request.query_params.multi_items()), query)
        return key

    def _known(self, request: Request) -> ApiKey:
        given = request.headers.get("apikey") or request.headers.get("x-api-key")
        key = self.keys.find(given) if given else None
        if key is None:
            challenge = {"WWW-Authenticate": 'ApiKey realm="orders"'}
            raise ProblemError(
                "Unauthorized", "Send a valid key in the header apikey.", headers=challenge
            )
        return key


def _check_accept(request: Request) -> None:
    accepted = request.headers.get("accept")
    if accepted is None:
        return
    ranges = (part.partition(";") for part in accepted.lower().split(","))
    wanted = {
        name.strip() for name, _, quality in ranges if quality.strip() not in {"q=0", "q=0.0"}
    }
    if wanted and not wanted & _READABLE:
        raise ProblemError("NotAcceptable", "Answers are application/json.")


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _charset(request: Request) -> str:
    found = _CHARSET.search(request.headers.get("content-type", ""))
    return found[1].lower() if found else "utf-8"


async def read_json(request: Request, limit: int = MAX_BODY) -> Any:
    """Return the parsed body; raises Refused or Invalid."""
    if media_type(request) != JSON:
        raise ProblemError("UnsupportedMediaType", "Send the body as application/json.")
    return parse(await read_body(request, limit))


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body; raises Refused where it is compressed or too large."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ProblemError("UnsupportedMediaType", "Send the body without a Content-Encoding.")
    if _charset(request) not in _UTF8:
        raise ProblemError("UnsupportedMediaType", "Send the body as UTF-8.")
    told = request.headers.get("content-length", "0")
    if told.isdigit() and int(told) > limit:
        raise body_too_large(limit)
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:  # a chunked body tells its length only by its end
            raise body_too_large(limit)
    return bytes(content)


def body_too_large(limit: int) -> ProblemError:
    return ProblemError("TooLarge", f"The body is larger than {limit // 1024} KB.")
