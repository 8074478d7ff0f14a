"""The stack's webhook receiver: received webhooks, and its configurable behaviour."""

from __future__ import annotations

import json
from typing import Any

import httpx

from support.builders.bodies import Json


def webhook_body(hook: Json) -> Json:
    """Return the body of a received webhook."""
    body = hook["body"]
    found: Json = json.loads(body) if isinstance(body, str) else body
    return found


def received_webhooks(receiver: str) -> list[Json]:
    found: list[Json] = httpx.get(f"{receiver}/received", timeout=20).json()
    return found


def received_webhook_ids(receiver: str) -> list[str]:
    return [item["headers"]["webhook-id"] for item in received_webhooks(receiver)]


def set_behaviour(receiver: str, **wish: Any) -> None:
    httpx.put(f"{receiver}/behaviour", json=wish, timeout=10).raise_for_status()
