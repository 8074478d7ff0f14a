"""Webhooks by the Standard Webhooks specification: the body, and the headers that sign it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from standardwebhooks import Webhook

from order_contracts.base import Message
from order_contracts.events import OrderAction
from order_contracts.order import ActionName, Order
from order_contracts.values import FreeObject, Language, Time


class WebhookData(Message):
    action_id: str
    action: ActionName
    language: Language | None = None
    data: FreeObject | None = None
    order: Order
    contact_id: str


class WebhookBody(Message):
    type: Literal["order.action"] = "order.action"
    timestamp: Time
    """When the action was requested; an attempt has its own time in `webhook-timestamp`."""
    data: WebhookData


def webhook_body(action: OrderAction, requested_at: datetime) -> str:
    """Return the text that is sent, the same for every attempt."""
    data = WebhookData(
        action_id=action.action_id,
        action=action.action,
        language=action.language,
        data=action.data,
        order=action.order,
        contact_id=action.contact_id,
    )
    return WebhookBody(timestamp=requested_at, data=data).to_json().decode()


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
