"""What a write request asks besides its body: precondition, idempotency, wait. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from order_contracts.decoding import Invalid
from order_contracts.errors import FieldError
from order_contracts.values import ENTITY_TAGS

MAX_WAIT: Final = 30
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
_TAGS: Final = re.compile(ENTITY_TAGS, re.ASCII)
_WAIT: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,4})\"?(?=$|[,;\s])", re.ASCII)


@dataclass(frozen=True, slots=True)
class RequestTerms:
    if_match: str | None = None
    idempotency_key: str | None = None
    """Hash of the API client and the header, since clients may put personal data into keys."""
    wait: int = 0
    """Seconds to wait for the job to be stored."""
    traceparent: str | None = None
    suppress_actions: bool = False
    """Whether the command is applied without firing the order's action."""

    def of_row(self, row: int) -> RequestTerms:
        """Return the terms of one row of a bulk request, whose Idempotency-Key is `key/row`."""
        key = self.idempotency_key
        row_key = _hashed(f"{key}/{row}") if key is not None else None
        return replace(self, if_match=None, idempotency_key=row_key, wait=0)


def request_terms(
    headers: Mapping[str, str], client: str, *, preconditions: bool = True
) -> RequestTerms:
    """
    Return the terms of a request by *client*; raises Invalid for a malformed header.

    If-Match is ignored where the call takes no *preconditions*.
    """
    return RequestTerms(
        if_match=_if_match(headers.get("if-match")) if preconditions else None,
        idempotency_key=_idempotency_key(headers.get("idempotency-key"), client),
        wait=_wait(headers.get("prefer", "")),
        traceparent=_traceparent(headers.get("traceparent")),
    )


def _if_match(header: str | None) -> str | None:
    if header is None:
        return None
    if not _TAGS.fullmatch(header.strip()):
        raise _malformed("If-Match", 'Must be "<versionTag>" in quotes, or *')
    return header.strip()


def _idempotency_key(header: str | None, client: str) -> str | None:
    if header is None:
        return None
    if not 1 <= len(header) <= 255:
        raise _malformed("Idempotency-Key", "Must have 1 to 255 characters")
    return _hashed(f"{client}/{header}")


def _hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _wait(header: str) -> int:
    """Return the seconds of `Prefer: wait=N`, at most 30; 0 for what is no such preference."""
    found = _WAIT.search(header)
    return min(int(found[1]), MAX_WAIT) if found else 0


def _traceparent(header: str | None) -> str | None:
    return header if header and _TRACEPARENT.fullmatch(header) else None


def _malformed(header: str, message: str) -> Invalid:
    return Invalid((FieldError(pointer="", code="Invalid", message=f"{header}: {message}"),))
