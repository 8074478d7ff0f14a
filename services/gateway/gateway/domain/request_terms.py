"""What a write request asks besides its body: precondition, idempotency, wait. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Final

from gateway.domain.field_values import FieldValues
from order_contracts.decoding import Invalid
from order_contracts.errors import FieldError
from order_contracts.frozen import frozen
from order_contracts.trace_context import well_formed
from order_contracts.values import ENTITY_TAGS

MAX_WAIT: Final = 30
MAX_KEY: Final = 255  # characters of an Idempotency-Key
_TAGS: Final = re.compile(ENTITY_TAGS, re.ASCII)
_PREFERENCE: Final = re.compile(r'(?:[^,;"]|"(?:[^"\\]|\\.)*+")++', re.ASCII)
_SECONDS: Final = re.compile(r"\d{1,4}", re.ASCII)


@frozen()
class RequestTerms:
    if_match: str | None = None
    idempotency_key: str | None = None
    """Hash of the API client and the header, since clients may put personal data into keys."""
    untrimmed_key: str | None = None
    """
    The same hash with the whitespace at the ends of the header, where it has any.

    Gateways took that for a part of the key before they followed RFC 9110: so a command may have
    claimed, or may be claiming, the key under this hash.
    """
    wait: int = 0
    """Seconds to wait for the job to be stored."""
    until_enriched: bool = False
    """Whether to wait for its enrichment as well: its order's contact was looked for."""
    traceparent: str | None = None
    suppress_actions: bool = False
    """Whether the command is applied without firing the order's action."""
    client: str | None = None
    """The API client, for those who read who sent a command."""

    def of_row(self, row: int) -> RequestTerms:
        """Return the terms of one row of a bulk request, whose Idempotency-Key is `key/row`."""
        return replace(
            self,
            if_match=None,
            idempotency_key=_of_row(self.idempotency_key, row),
            untrimmed_key=_of_row(self.untrimmed_key, row),
            wait=0,
            until_enriched=False,
        )

    @property
    def keys(self) -> tuple[str, ...]:
        """The hashes under which the command may have been sent before."""
        return tuple(key for key in (self.untrimmed_key, self.idempotency_key) if key is not None)


def request_terms(headers: FieldValues, client: str, *, preconditions: bool = True) -> RequestTerms:
    """
    Return the terms of a request by *client*; raises Invalid for a malformed header.

    If-Match is ignored where the call takes no *preconditions*.
    """
    preferred = preferences(headers.get("prefer", ""))
    return RequestTerms(
        if_match=_if_match(headers.get("if-match")) if preconditions else None,
        idempotency_key=_idempotency_key(headers.get("idempotency-key"), client),
        untrimmed_key=_untrimmed_key(headers.untrimmed("idempotency-key"), client),
        wait=_wait(preferred),
        until_enriched=preferred.get("until") == "enriched",
        traceparent=well_formed(headers.get("traceparent")),
        client=client,
    )


def _if_match(header: str | None) -> str | None:
    if header is None:
        return None
    if not _TAGS.fullmatch(header):
        raise _malformed("If-Match", 'Must be "<versionTag>" in quotes, or *')
    return header


def _idempotency_key(header: str | None, client: str) -> str | None:
    if header is None:
        return None
    if not 1 <= len(header) <= MAX_KEY:
        raise _malformed("Idempotency-Key", f"Must have 1 to {MAX_KEY} characters")
    return _hashed(f"{client}/{header}")


def _untrimmed_key(line: str | None, client: str) -> str | None:
    return _hashed(f"{client}/{line}") if line and len(line) <= MAX_KEY else None


def _of_row(key: str | None, row: int) -> str | None:
    return None if key is None else _hashed(f"{key}/{row}")


def _hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def preferences(header: str) -> Mapping[str, str]:
    """
    Return the preferences of the header Prefer (RFC 7240), by lower-case name.

    Of one that is given several times the first counts. Parameters are read as preferences.
    """
    found: dict[str, str] = {}
    for part in _PREFERENCE.findall(header):
        name, _, value = part.partition("=")
        found.setdefault(name.strip().lower(), value.strip().strip('"'))
    return found


def _wait(preferred: Mapping[str, str]) -> int:
    """Return the seconds of `wait=N`, at most 30; 0 for what is no such preference."""
    seconds = preferred.get("wait", "")
    return min(int(seconds), MAX_WAIT) if _SECONDS.fullmatch(seconds) else 0


def _malformed(header: str, message: str) -> Invalid:
    return Invalid((FieldError(pointer="", code="Invalid", message=f"{header}: {message}"),))
