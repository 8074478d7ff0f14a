"""From a record of `orders.actions` to an action that can be delivered, or the reason why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from action_trigger.domain.decode import UnreadableAction, decode_action
from action_trigger.domain.delivery import ReceivedAction
from order_contracts.events import OrderAction
from order_runtime.kafka.records import NOT_UTF8, Record
from support.builders.actions import ASKED_AT, action_record, order_action

ARRIVED_AT = datetime(2025, 11, 28, 10, 0, 5, tzinfo=UTC)
TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def record(action: OrderAction, **headers: bytes | None) -> Record:
    """Give the record of *action* with these headers instead of its own; None takes one away."""
    sent = action_record(action)
    own = dict(sent.headers) | {name.replace("__", "-"): value for name, value in headers.items()}
    kept = tuple((name, value) for name, value in own.items() if value is not None)
    return Record(sent.topic, 3, 7, ARRIVED_AT, sent.key, sent.value, kept)


def decoded(item: Record) -> ReceivedAction:
    found = decode_action(item)
    assert isinstance(found, ReceivedAction)
    return found


def reason(item: Record) -> str:
    found = decode_action(item)
    assert isinstance(found, UnreadableAction)
    assert found.record == item
    return found.reason


def test_an_action_has_all_that_its_delivery_needs() -> None:
    action = order_action()
    registered_at = ASKED_AT - timedelta(days=1)
    action = action.model_copy(
        update={"order": action.order.model_copy(update={"registered_at": registered_at})}
    )
    sent = record(action)
    assert decoded(sent) == ReceivedAction(
        action_id=action.action_id,
        job_id=action.job_id,
        order_id=action.order_id,
        action=action.action,
        contact_id="contact-1",
        registered_at=registered_at,
        accepted_at=ASKED_AT,
        record=sent,
        traceparent=None,
        replay=False,
    )


def test_an_order_without_a_time_of_registration_was_registered_when_the_action_was_accepted() -> (
    None
):
    action = order_action()
    order = action.order.model_copy(update={"registered_at": None})
    received = decoded(record(action.model_copy(update={"order": order})))
    assert received.registered_at == received.accepted_at == ASKED_AT


def test_a_trace_goes_on_and_a_replay_is_seen() -> None:
    received = decoded(record(order_action(), traceparent=TRACEPARENT, orders__replay=b"a/0/1"))
    assert received.traceparent == TRACEPARENT.decode()
    assert received.replay


@pytest.mark.parametrize("ce_time", [b"yesterday", b"2025-11-28T09:00:00", b"", None])
def test_a_time_that_names_no_instant_gives_way_to_the_records(ce_time: bytes | None) -> None:
    assert decoded(record(order_action(), ce_time=ce_time)).accepted_at == ARRIVED_AT


def test_a_time_of_another_zone_is_the_same_instant_in_utc() -> None:
    there = ASKED_AT.astimezone(timezone(timedelta(hours=2)))
    accepted_at = decoded(record(order_action(), ce_time=there.isoformat().encode())).accepted_at
    assert accepted_at == ASKED_AT
    assert accepted_at.utcoffset() == timedelta()


@pytest.mark.parametrize("ce_type", [b"OrderRegistered.v1", None])
def test_another_type_of_event_is_no_action(ce_type: bytes | None) -> None:
    assert reason(record(order_action(), ce_type=ce_type)) == (
        "The header ce_type is not OrderAction.v1"
    )


@pytest.mark.parametrize("value", [None, b"", b"{", b'{"actionId": "a"}'])
def test_a_value_that_is_no_action_has_a_reason(value: bytes | None) -> None:
    assert reason(replace(record(order_action()), value=value))


def test_headers_that_are_not_text_have_a_reason() -> None:
    assert reason(record(order_action(), ce_subject=b"\xff"))


def test_an_action_that_the_client_cannot_read_says_so() -> None:
    assert reason(replace(record(order_action()), unreadable=NOT_UTF8)) == NOT_UTF8
