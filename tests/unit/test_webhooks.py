"""Webhooks: body, signature, retry schedule, and the outcome of a response."""

from __future__ import annotations

import base64
import json
import secrets
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from action_trigger.domain.retry_policy import (
    GIVEN_UP,
    JITTER,
    MAX_RETRY_AFTER,
    RETRY_PERIOD,
    SCHEDULE,
    AttemptOutcome,
    Delivered,
    Disabled,
    Failed,
    NoResponse,
    Response,
    Retry,
    attempt_outcome,
    is_alive,
    retry_deadline,
)
from action_trigger.domain.webhooks import signature_headers, webhook_body
from support.builders.actions import ASKED_AT, order_action

NOW = datetime(2025, 12, 1, 12, tzinfo=UTC)
MIDDLE = 0.5  # no jitter


def secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def outcome_of(
    response: Response | NoResponse,
    attempt: int = 1,
    random: float = MIDDLE,
    deadline: datetime = NOW + RETRY_PERIOD,
) -> AttemptOutcome:
    return attempt_outcome(response, attempt=attempt, deadline=deadline, now=NOW, random=random)


def test_the_body_says_what_the_contract_says() -> None:
    action = order_action()
    sent = json.loads(webhook_body(action.to_json(), ASKED_AT))
    assert sent["type"] == "order.action"
    assert sent["timestamp"] == "2025-11-28T10:00:01.000Z"
    assert set(sent["data"]) == {"actionId", "action", "language", "data", "order", "contactId"}
    assert sent["data"]["actionId"] == action.action_id
    assert sent["data"]["order"]["orderId"] == action.order_id
    assert sent["data"]["data"] == {"coupon": "A1"}
    assert sent["data"]["action"] == "ConfirmOrder"
    assert sent["data"]["language"] == "nl"
    assert sent["data"]["contactId"] == "contact-1"


def test_the_order_and_its_numbers_are_told_as_the_action_has_them() -> None:
    free = {"a": 1e-8, "b": -0.5, "c": 123456789012345, "d": 0.1, "e": None, "f": ["ü", {}]}
    action = order_action(totalPrice=19.9, extraData=free)
    sent = json.loads(webhook_body(action.to_json(), ASKED_AT), parse_float=str)
    assert sent["data"]["order"] == json.loads(action.order.to_json(), parse_float=str)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"5", b"{}", b'{"actionId": "a"}'])
def test_of_what_is_no_action_there_is_no_body(text: bytes) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        webhook_body(text, ASKED_AT)


def test_what_an_action_lacks_is_not_in_the_body() -> None:
    action = order_action().model_copy(update={"language": None, "data": None})
    sent = json.loads(webhook_body(action.to_json(), ASKED_AT))
    assert set(sent["data"]) == {"actionId", "action", "order", "contactId"}


def test_text_that_is_not_ascii_is_signed_as_it_is_sent() -> None:
    key, text = (
        secret(),
        webhook_body(order_action(externalStatus="Geöffnet ✓").to_json(), ASKED_AT),
    )
    headers = signature_headers(text, action_id="a", at=datetime.now(UTC), secrets=[key])
    Webhook(key).verify(text.encode(), dict(headers))


def test_the_signature_names_the_action_and_the_second_of_the_attempt() -> None:
    at = datetime(2025, 12, 1, 13, 0, 0, 999_000, tzinfo=timezone(timedelta(hours=1)))
    headers = signature_headers("{}", action_id="a", at=at, secrets=[secret()])
    assert headers["webhook-id"] == "a"
    assert headers["webhook-timestamp"] == str(int(NOW.timestamp()))


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
    assert timedelta(hours=75) == RETRY_PERIOD


def test_the_schedule_is_the_one_that_standard_webhooks_advise() -> None:
    minutes = [interval / timedelta(minutes=1) for interval in SCHEDULE[2:]]
    assert SCHEDULE[:2] == (timedelta(), timedelta(seconds=5))
    assert minutes == [5, 30, 120, 300, 600, 840, 1_200, 1_440]


def test_what_was_given_up_says_how_long_it_was_tried() -> None:
    assert GIVEN_UP == "No success in 75 hours: the endpoint takes nothing."


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert outcome_of(Response(status)) == Delivered()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 408, 409, 413, 422, 499])
def test_other_4xx_fail_at_once(status: int) -> None:
    assert outcome_of(Response(status)) == Failed(f"The endpoint answered {status}.")


def test_410_is_about_the_endpoint() -> None:
    assert outcome_of(Response(410)) == Disabled()


@pytest.mark.parametrize(
    "response",
    [
        *(Response(status) for status in (199, 300, 301, 302, 307, 399, 429, 500, 502, 503, 504)),
        NoResponse("timeout"),
    ],
)
def test_what_may_pass_is_retried_on_schedule(response: Response | NoResponse) -> None:
    for attempt in range(1, len(SCHEDULE)):
        assert outcome_of(response, attempt) == Retry(NOW + SCHEDULE[attempt])


def test_the_last_attempt_fails_with_what_was_answered() -> None:
    last = len(SCHEDULE)
    assert outcome_of(Response(503), last) == Failed(
        "No success in 10 attempts: the endpoint answered 503."
    )
    assert outcome_of(NoResponse("timeout"), last) == Failed(
        "No success in 10 attempts: the endpoint did not answer (timeout)."
    )


def test_the_last_attempt_is_not_later_than_the_deadline() -> None:
    soon = NOW + timedelta(seconds=90)
    assert outcome_of(Response(503), 5, deadline=soon) == Retry(soon)
    assert outcome_of(Response(503, "3600"), 5, deadline=soon) == Retry(soon)
    assert outcome_of(Response(503), 5, deadline=NOW) == Failed(
        "No success in 5 attempts: the endpoint answered 503."
    )


def test_the_time_an_endpoint_was_shut_does_not_count() -> None:
    recorded, enabled = NOW - timedelta(days=9), NOW - timedelta(hours=1)
    assert retry_deadline(recorded, enabled) == enabled + RETRY_PERIOD
    assert retry_deadline(NOW, enabled) == NOW + RETRY_PERIOD


@pytest.mark.parametrize(("random", "minutes"), [(0.0, 27), (0.25, 28.5), (0.5, 30), (1.0, 33)])
def test_jitter_is_a_tenth_of_the_interval_to_either_side(random: float, minutes: float) -> None:
    at = NOW + timedelta(minutes=minutes)
    result = outcome_of(NoResponse("timeout"), 3, random)
    assert isinstance(result, Retry)
    assert abs(result.at - at) < timedelta(milliseconds=1)


@pytest.mark.parametrize("random", [0.0, 0.25, 0.999])
def test_jitter_spreads_an_interval_to_either_side(random: float) -> None:
    result = outcome_of(Response(500), 3, random)
    assert isinstance(result, Retry)
    assert abs((result.at - NOW) / SCHEDULE[3] - 1) <= JITTER


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 120 ", 120),
        (format_datetime(NOW + timedelta(minutes=3), usegmt=True), 180),
        ("0", 5),
        ("-7", 5),
        ("6", 6),
        ("1.5", 5),
        ("٩٩", 5),
        (f"{NOW + timedelta(minutes=3):%a, %d %b %Y %H:%M:%S} -0000", 180),
        (f"{NOW + timedelta(minutes=63):%a, %d %b %Y %H:%M:%S} +0100", 180),
        ("soon", 5),
        ("", 5),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 5),
    ],
)
def test_a_retry_after_is_honoured_but_never_shortens_the_schedule(
    header: str, seconds: int
) -> None:
    assert outcome_of(Response(503, header)) == Retry(NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("header", ["999999999", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_retry_after_is_bounded(header: str) -> None:
    assert outcome_of(Response(429, header)) == Retry(NOW + MAX_RETRY_AFTER)
    assert timedelta(hours=24) == MAX_RETRY_AFTER


def test_a_retry_after_of_a_success_or_a_refusal_is_ignored() -> None:
    assert outcome_of(Response(204, "120")) == Delivered()
    assert outcome_of(Response(400, "120")) == Failed("The endpoint answered 400.")


@pytest.mark.parametrize("status", [200, 204, 299, 400, 404, 410, 499])
def test_an_endpoint_that_accepts_or_refuses_is_alive(status: int) -> None:
    assert is_alive(Response(status))


@pytest.mark.parametrize(
    "response", [NoResponse("timeout"), *(Response(status) for status in (199, 302, 429, 500, 503))]
)
def test_an_endpoint_that_neither_accepts_nor_refuses_is_not_alive(
    response: Response | NoResponse,
) -> None:
    assert not is_alive(response)
