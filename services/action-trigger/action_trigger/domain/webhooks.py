"""What is sent to the automation trigger, and what its answer means: Standard Webhooks, pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final, Literal

from standardwebhooks import Webhook

from order_contracts.base import Message
from order_contracts.events import OrderAction
from order_contracts.order import ActionName, Order
from order_contracts.values import FreeObject, Language, Time

SCHEDULE: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Before each attempt, counted from the one before: 75 h in all, as Standard Webhooks advise."""
RETRY_PERIOD: Final = timedelta(hours=75)
"""No attempt is made later than this after a delivery's schedule began."""
JITTER: Final = 0.1  # of an interval, to either side, so that a queue doesn't come back as one
MAX_RETRY_AFTER: Final = timedelta(hours=24)  # a Retry-After beyond it is shortened


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
    """When the action was asked for; an attempt's own time is in its header `webhook-timestamp`."""
    data: WebhookData


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    retry_after: str | None = None
    """The header as it came."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request timed out, or the connection failed."""

    why: str


@dataclass(frozen=True, slots=True)
class Delivered:
    pass


@dataclass(frozen=True, slots=True)
class Retry:
    at: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    reason: str


@dataclass(frozen=True, slots=True)
class Disabled:
    """The endpoint said that it is gone (410): its queue is kept for an operator."""


AttemptOutcome = Delivered | Retry | Failed | Disabled


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


def deadline(started_at: datetime, enabled_since: datetime) -> datetime:
    """Return when the last attempt may be made; while an endpoint is shut, no time is lost."""
    return max(started_at, enabled_since) + RETRY_PERIOD


def is_retryable(status: int) -> bool:
    """Return whether the answer asks for another try: neither taken nor refused for good."""
    return status == 429 or not (200 <= status < 300 or 400 <= status < 500)


def attempt_outcome(
    answer: Answer | NoAnswer, *, attempt: int, last: datetime, now: datetime, chance: float
) -> AttemptOutcome:
    """
    Return what the answer to attempt number *attempt* (the first is 1) means.

    No attempt is made after *last*. *chance* in [0, 1) spreads the retries.
    """
    if isinstance(answer, Answer) and not is_retryable(answer.status):
        if answer.status < 300:
            return Delivered()
        if answer.status == 410:
            return Disabled()
        return Failed(f"The endpoint answered {answer.status}.")
    if attempt >= len(SCHEDULE) or now >= last:
        return Failed(f"No success in {attempt} attempts: {_said(answer)}.")
    interval = SCHEDULE[attempt] * (1 + JITTER * (2 * chance - 1))
    return Retry(min(now + max(interval, _wish(answer, now)), last))


def _said(answer: Answer | NoAnswer) -> str:
    if isinstance(answer, NoAnswer):
        return f"the endpoint did not answer ({answer.why})"
    return f"the endpoint answered {answer.status}"


def _wish(answer: Answer | NoAnswer, now: datetime) -> timedelta:
    """Return how long a Retry-After, in seconds or as a date, asks us to wait; 0 without one."""
    text = answer.retry_after.strip() if isinstance(answer, Answer) and answer.retry_after else ""
    if text.isascii() and text.isdecimal():
        # Nine digits are more than the bound, and more might be more than a timedelta holds.
        return min(timedelta(seconds=int(text[:9])), MAX_RETRY_AFTER)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return timedelta()
    if date.tzinfo is None:  # `-0000` is how RFC 5322 says: UTC, of no known place
        date = date.replace(tzinfo=UTC)
    return min(max(date - now, timedelta()), MAX_RETRY_AFTER)
