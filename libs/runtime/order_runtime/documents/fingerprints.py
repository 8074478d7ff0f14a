"""Fingerprints: whether two commands under one id, or one Idempotency-Key, are the same. Pure."""

from __future__ import annotations

import json
from decimal import Decimal
from hashlib import sha256
from typing import Any

import orjson

from order_contracts.amounts import json_number
from order_contracts.cloudevents import UNGUARDED, DeleteGuard
from order_contracts.times import moment, rfc3339


def fingerprint(
    kind: str,
    value: object,
    if_match: str | None,
    *,
    suppress: bool,
    guard: DeleteGuard = UNGUARDED,
) -> str:
    """
    Return the fingerprint of a command: of its type, its JSON and its preconditions.

    It is the SHA-256, in hex, of the JSON itself with sorted members and no spacing, not of the
    model: so a release that knows one more field takes no repeated command for a new one.
    """
    parts = {"type": kind, "data": value, "ifMatch": if_match, "suppress": suppress}
    if guard.registration is not None:
        parts["registration"] = guard.registration
    if guard.since is not None:
        parts["contactSince"] = guard.since
    try:
        text = orjson.dumps(parts, _plain, orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # an integer of over 64 bits, in a field that nobody reads
        text = json.dumps(parts, default=_plain, sort_keys=True).encode()
    return sha256(text).hexdigest()


def with_milliseconds(value: Any) -> Any:
    """
    Return a gateway's command as a release wrote it that cut lastChangedAt to milliseconds.

    A retry after the upgrade is compared with what was claimed before it.
    """
    if not isinstance(value, dict) or not isinstance(at := value.get("lastChangedAt"), str):
        return value
    return {**value, "lastChangedAt": rfc3339(moment(at))}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return json_number(value)
    raise TypeError(f"no JSON value: {type(value).__name__}")
