"""What is checked of every request before it is handled: key, rate, scope, Accept, parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from gateway.domain.problem_error import ProblemError
from gateway.domain.query_params import refuse_unknown
from gateway.http.memory_budget import Memory
from gateway.http.rate_limits import RateLimits
from gateway.http.request_fields import fields
from order_runtime.auth.api_keys import ApiKey, KeyFile, Scope
from order_runtime.documents.instances import KEY_REFUSED, UNKNOWN_KEY
from order_runtime.observability.conditions import CONDITIONS

_PRODUCED: Final = frozenset(
    {
        "*",  # no media range, but what Java's client sends by default
        "*/*",
        "application/*",
        "application/json",
        "application/problem+json",
        "application/*+json",
    }
)
_NEVER: Final = re.compile(r";\s*q\s*=\s*0(\.0{0,3})?\s*(;|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Admission:
    """Admits requests by their API key."""

    keys: KeyFile
    rates: RateLimits
    memory: Memory

    def admit(self, request: Request, scope: Scope, parameters: Iterable[str] = ()) -> ApiKey:
        """
        Return the caller's key; raises ProblemError or Invalid.

        The query may have no other than the named *parameters*. Leaves the client, the key's id
        and the headers of its rate limit in the request's state, for the access log and the
        response; and the memory that may be reserved for it.
        """
        key = self._authenticate(request)
        state = request.scope["state"]
        state["client"], state["key_id"], state["memory"] = key.client, key.id, self.memory
        state["headers"] = self.rates.count(key)
        if scope not in key.scopes:
            raise ProblemError("Forbidden", f"The key lacks the scope {scope}.")
        _check_accept(request)
        if request.scope["query_string"]:
            refuse_unknown((name for name, _ in request.query_params.multi_items()), parameters)
        return key

    def _authenticate(self, request: Request) -> ApiKey:
        sent = fields(request.scope)
        secret = sent.get("apikey") or sent.get("x-api-key")
        key = self.keys.find(secret) if secret else None
        if key is None:
            revoked = self.keys.revoked(secret) if secret else None
            if revoked is not None:  # the access log names whoever still uses it
                request.scope["state"] |= {"client": revoked.client, "key_id": revoked.id}
            if secret:
                CONDITIONS.happened(KEY_REFUSED, revoked.id if revoked else UNKNOWN_KEY)
            challenge = {"WWW-Authenticate": 'ApiKey realm="orders"'}
            raise ProblemError(
                "Unauthorized", "Send a valid key in the header apikey.", headers=challenge
            )
        return key


def _check_accept(request: Request) -> None:
    """Refuse a list of media types without ours; an empty one is any, like none."""
    accept = fields(request.scope).get("accept", "")
    if accept in _PRODUCED:
        return  # as nearly all clients send it
    ranges = [part for part in accept.lower().split(",") if part.strip()]
    accepted = {part.partition(";")[0].strip() for part in ranges if not _NEVER.search(part)}
    if accepted and not accepted & _PRODUCED:
        raise ProblemError("NotAcceptable", "Answers are application/json.")
