"""Webhooks as the receiver remembers them."""

from __future__ import annotations

import json

from support.builders.bodies import Json


def body_of(hook: Json) -> Json:
    """Return the body of a received webhook."""
    body = hook["body"]
    found: Json = json.loads(body) if isinstance(body, str) else body
    return found
