"""What is sent to the automation trigger, and what its answers mean."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from action_trigger.domain.webhooks import (
    JITTER,
    MAX_RETRY_AFTER,
    RETRY_PERIOD,
    SCHEDULE,
    Answer,
    AttemptOutcome,
    Delivered,
    Disabled,
    Failed,
    NoAnswer,
    Retry,
    attempt_outcome,
    deadline,
    signature_headers,
    webhook_body,
)
from support.builders.actions import ASKED_AT, order_action

NOW = datetime(2025, 12, 1, 12, tzinfo=UTC)
MIDDLE = 0.5  # no jitter


def secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def judged(
    answer: Answer | NoAnswer,
    attempt: int = 1,
    chance: float = MIDDLE,
    last: datetime = NOW + RETRY_PERIOD,
) -> AttemptOutcome:
    return attempt_outcome(answer, attempt=attempt, last=last, now=NOW, chance=chance)


def test_the_body_says_what_the_contract_says() -> None:
    action = order_action()
    sent = json.loads(webhook_body(action, ASKED_AT))
    assert sent["type"] == "order.action"
    assert sent["timestamp"] == "2025-11-28T10:00:01.000Z"
    assert set(sent["data"]) == {"actionId", "action", "language", "data", "order", "contactId"}
    assert sent["data"]["actionId"] == action.action_id
    assert sent["data"]["order"]["orderId"] == action.order_id
    assert sent["data"]["data"] == {"coupon": "A1"}


def test_text_that_is_not_ascii_is_signed_as_it_is_sent() -> None:
    key, text = secret(), webhook_body(order_action(externalStatus="Geöffnet ✓"), ASKED_AT)
    headers = signature_headers(text, action_id="a", at=datetime.now(UTC), secrets=[key])
    Webhook(key).verify(text.encode(), dict(headers))


def test_every_secret_signs_so_that_a_receiver_may_rotate() -> None:
    old, new = secret(), secret()
    headers = dict(signature_headers("{}", action_id="a", at=datetime.now(UTC), secrets=[old, new]))
    Webhook(old).verify("{}", headers)
    Webhook(new).verify("{}", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret()).verify("{}", headers)


def test_the_schedule_is_75_hours_long() -> None:
    total = sum(SCHEDULE, timedelta())
    assert timedelta(hours=75) <= total <= timedelta(hours=76)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert judged(Answer(status)) == Delivered()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 409, 413, 422, 499])
def test_other_4xx_fail_at_once(status: int) -> None:
    assert judged(Answer(status)) == Failed(f"The endpoint answered {status}.")


def test_410_is_about_the_endpoint() -> None:
    assert judged(Answer(410)) == Disabled()


@pytest.mark.parametrize(
    "answer",
    [*(Answer(status) for status in (301, 302, 307, 429, 500, 502, 503, 504)), NoAnswer("timeout")],
)
def test_what_may_pass_is_retried_on_schedule(answer: Answer | NoAnswer) -> None:
    for attempt in range(1, len(SCHEDULE)):
        assert judged(answer, attempt) == Retry(NOW + SCHEDULE[attempt])


def test_the_last_attempt_fails_with_what_was_answered() -> None:
    last = len(SCHEDULE)
    assert judged(Answer(503), last) == Failed(
        "No success in 10 attempts: the endpoint answered 503."
    )
    assert judged(NoAnswer("timeout"), last) == Failed(
        "No success in 10 attempts: the endpoint did not answer (timeout)."
    )


def test_the_last_attempt_is_not_later_than_the_patience_lasts() -> None:
    soon = NOW + timedelta(seconds=90)
    assert judged(Answer(503), 5, last=soon) == Retry(soon)
    assert judged(Answer(503, "3600"), 5, last=soon) == Retry(soon)
    assert judged(Answer(503), 5, last=NOW) == Failed(
        "No success in 5 attempts: the endpoint answered 503."
    )


def test_the_time_an_endpoint_was_shut_does_not_count() -> None:
    recorded, enabled = NOW - timedelta(days=9), NOW - timedelta(hours=1)
    assert deadline(recorded, enabled) == enabled + RETRY_PERIOD
    assert deadline(NOW, enabled) == NOW + RETRY_PERIOD


@pytest.mark.parametrize("chance", [0.0, 0.25, 0.999])
def test_jitter_spreads_an_interval_to_either_side(chance: float) -> None:
    result = judged(Answer(500), 3, chance)
    assert isinstance(result, Retry)
    assert abs((result.at - NOW) / SCHEDULE[3] - 1) <= JITTER


@pytest.mark.parametrize(
    ("wish", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        (format_datetime(NOW + timedelta(minutes=3), usegmt=True), 180),
        ("0", 5),
        ("-7", 5),
        ("soon", 5),
        ("", 5),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 5),
    ],
)
def test_a_retry_after_is_honoured_but_never_shortens_the_schedule(wish: str, seconds: int) -> None:
    assert judged(Answer(503, wish)) == Retry(NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("wish", ["999999999", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_retry_after_is_bounded(wish: str) -> None:
    assert judged(Answer(429, wish)) == Retry(NOW + MAX_RETRY_AFTER)
