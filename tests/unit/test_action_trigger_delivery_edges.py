"""What a receiver counts on of every webhook: ids that stay, signatures, delays as asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from action_trigger.domain.delivery import ReceivedAction
from action_trigger.domain.events import outcome_event
from action_trigger.domain.retry_policy import Response, Retry, attempt_outcome
from action_trigger.domain.webhooks import signature_headers
from order_contracts.order import ActionName
from support.builders.actions import (
    action_record,
    ended_delivery,
    order_action,
    outgoing_headers,
)
from support.builders.writer_fixtures import read_back

NOW = datetime(2025, 12, 1, 12, tzinfo=UTC)
SECRETS = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
DELIVERED = ended_delivery(NOW, attempts=1, status=200, round=1)


def test_the_outcome_of_a_replay_keeps_its_id_over_releases() -> None:
    """Else an outcome that is announced again after an upgrade would be another one."""
    event = outcome_event(DELIVERED)
    assert event is not None
    assert outgoing_headers(event)["ce_id"] == "eef602c0-4ef9-5d69-993e-43ec2f495351"


def test_a_delivery_that_ended_without_a_status_or_a_reason_is_announced_all_the_same() -> None:
    states = (replace(DELIVERED, status=None), replace(DELIVERED, state="failed"))
    values = [event.value for event in map(outcome_event, states) if event is not None]
    assert b'"statusCode":0' in (values[0] or b"")
    assert b'"reason":""' in (values[1] or b"")


def test_signatures_are_one_list_separated_by_single_spaces() -> None:
    headers = signature_headers("{}", action_id="action-1", at=NOW, secrets=SECRETS)
    signed = [Webhook(secret).sign("action-1", NOW, "{}") for secret in SECRETS]
    assert headers["webhook-signature"] == f"{signed[0]} {signed[1]}"


def test_an_action_is_no_replay_unless_its_record_says_so() -> None:
    received = ReceivedAction(
        action_id="action-1",
        job_id="job-1",
        order_id="order-1",
        action=ActionName.CONFIRM_ORDER,
        contact_id="contact-1",
        registered_at=NOW,
        accepted_at=NOW,
        record=read_back(action_record(order_action())),
    )
    assert (received.replay, received.traceparent) == (False, None)


@pytest.mark.parametrize("header", ["000000060", " 60 ", "60"])
def test_a_delay_in_seconds_may_have_leading_zeros(header: str) -> None:
    outcome = attempt_outcome(
        Response(503, header), attempt=1, deadline=NOW + timedelta(days=1), now=NOW, random=0.5
    )
    assert outcome == Retry(NOW + timedelta(seconds=60))


@pytest.mark.parametrize(
    ("since_end", "since_accepted", "awaited"),
    [
        (timedelta(0), timedelta(days=1), True),
        (timedelta(hours=23), timedelta(days=2), True),
        (timedelta(days=1), timedelta(days=2), False),
        (timedelta(hours=1), timedelta(days=30), False),
    ],
)
def test_a_job_that_is_not_there_is_awaited_for_a_day_and_no_longer_than_jobs_are_kept(
    since_end: timedelta, since_accepted: timedelta, *, awaited: bool
) -> None:
    ended = ended_delivery(NOW - since_end, accepted_at=NOW - since_accepted)
    assert ended.awaits_job(NOW) is awaited
