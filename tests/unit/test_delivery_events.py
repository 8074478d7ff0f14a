"""What is announced of a delivery that ended."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from action_trigger.domain.delivery import EndedDelivery
from action_trigger.domain.events import failure_entry, outcome_event
from order_contracts.derived_ids import event_id
from order_runtime.kafka.records import Outgoing
from support.builders.actions import ended_delivery, outgoing_headers

AT = datetime(2025, 12, 1, 12, tzinfo=UTC)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DELIVERED = ended_delivery(AT, traceparent=TRACE)
FAILED = replace(DELIVERED, state="failed", status=400, reason="The endpoint answered 400.")


def event(ended: EndedDelivery) -> Outgoing:
    found = outcome_event(ended)
    assert found is not None
    return found


def test_a_delivered_action_is_announced_with_its_attempts_and_its_status() -> None:
    sent = event(DELIVERED)
    assert (sent.topic, sent.key) == ("orders.deliveries", b"order-1")
    assert json.loads(sent.value or b"") == {
        "actionId": "action-1",
        "jobId": "job-1",
        "orderId": "order-1",
        "action": "ConfirmOrder",
        "attempts": 3,
        "statusCode": 204,
    }
    headers = outgoing_headers(sent)
    assert headers["ce_type"] == "ActionDelivered.v1"
    assert headers["ce_id"] == event_id("job-1", "ActionDelivered.v1")
    assert headers["ce_source"] == "/action-trigger"
    assert headers["ce_subject"] == "order-1"
    assert datetime.fromisoformat(headers["ce_time"]) == AT
    assert headers["traceparent"] == DELIVERED.traceparent


def test_a_failed_action_is_announced_with_the_reason() -> None:
    sent = event(FAILED)
    assert (sent.topic, sent.key) == ("orders.deliveries", b"order-1")
    assert json.loads(sent.value or b"") == {
        "actionId": "action-1",
        "jobId": "job-1",
        "orderId": "order-1",
        "action": "ConfirmOrder",
        "attempts": 3,
        "statusCode": 400,
        "reason": "The endpoint answered 400.",
    }
    assert outgoing_headers(sent)["ce_type"] == "ActionFailed.v1"
    assert outgoing_headers(sent)["ce_id"] == event_id("job-1", "ActionFailed.v1")


def test_a_failure_without_a_response_has_no_status() -> None:
    assert "statusCode" not in json.loads(event(replace(FAILED, status=None)).value or b"")


@pytest.mark.parametrize("state", ["pending", "dropped"])
def test_a_delivery_that_was_replayed_or_dropped_has_no_event(state: str) -> None:
    assert outcome_event(replace(DELIVERED, state=state)) is None


@pytest.mark.parametrize("ended", [DELIVERED, FAILED])
def test_each_replay_has_an_id_of_its_own_and_a_repeat_has_the_same(ended: EndedDelivery) -> None:
    rounds = [event(replace(ended, round=number)) for number in (0, 1, 2)]
    assert len({outgoing_headers(sent)["ce_id"] for sent in rounds}) == 3
    assert event(replace(ended, round=1)) == rounds[1]


def test_the_log_has_one_entry_for_all_failures_of_an_action() -> None:
    entry = failure_entry(FAILED)
    assert (entry.code, entry.severity) == ("ActionFailed", "Error")
    assert (entry.job_id, entry.order_id, entry.reference) == ("job-1", "order-1", "ConfirmOrder")
    assert entry.at == AT
    assert failure_entry(replace(FAILED, round=1)).id == entry.id
    assert failure_entry(replace(FAILED, job_id="job-2")).id != entry.id
