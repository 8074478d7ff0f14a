"""Webhooks by the Standard Webhooks specification: the body, and the headers that sign it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import orjson
from standardwebhooks import Webhook

from order_contracts.times import rfc3339

_TYPE: Final = "order.action"
_REQUIRED: Final = ("actionId", "action", "order", "contactId")
_OPTIONAL: Final = ("language", "data")


def webhook_body(action: bytes, requested_at: datetime) -> str:
    """
    Return the text that is sent, the same for every attempt.

    *action* is the JSON of an OrderAction, which was read in full when it was recorded: here it is
    only put into another frame. Raises ValueError, TypeError or KeyError where it is none.
    """
    members = orjson.loads(action)
    data = {name: members[name] for name in _REQUIRED}
    data |= {name: members[name] for name in _OPTIONAL if name in members}
    body = {"type": _TYPE, "timestamp": rfc3339(requested_at), "data": data}
    return orjson.dumps(body).decode()


def signature_headers(
    text: str, *, action_id: str, at: datetime, secrets: Sequence[str]
) -> Mapping[str, str]:
    """Return the signature's headers; every secret signs, so that a receiver may rotate them."""
    signatures = (Webhook(secret).sign(action_id, at.astimezone(UTC), text) for secret in secrets)
    return {
        "webhook-id": action_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
