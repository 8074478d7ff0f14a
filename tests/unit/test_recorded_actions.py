"""What was just recorded is sent from memory, unless a lane has had it already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from action_trigger.adapters.delivery_documents import recorded_delivery
from action_trigger.app.recorded_actions import RecordedAction, RecordedActions
from action_trigger.domain.decode import decode_action
from action_trigger.domain.delivery import ReceivedAction
from order_contracts.order import ActionName
from support.harness.dispatch_harness import received_action

AT = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOW = AT + timedelta(seconds=1)
FIRST, SECOND = (received_action(offset, ActionName.CUSTOM) for offset in (1, 2))
CONFIRM = received_action(3, ActionName.CONFIRM_ORDER)


def added(*actions: ReceivedAction) -> RecordedActions:
    deliveries = RecordedActions()
    deliveries.expect(ids_of(actions), NOW)
    deliveries.add(actions, AT)
    return deliveries


def ids_of(actions: Iterable[ReceivedAction]) -> list[str]:
    return [it.action_id for it in actions]


def taken(deliveries: RecordedActions, *names: ActionName) -> list[str]:
    return [it.action.action_id for it in deliveries.take(names or list(ActionName))]


def test_what_was_recorded_is_taken_once() -> None:
    deliveries = added(FIRST)
    assert deliveries.take([ActionName.CUSTOM]) == [RecordedAction(FIRST, AT, NOW)]
    assert taken(deliveries) == []


def test_each_queue_takes_what_is_for_its_actions() -> None:
    deliveries = added(FIRST, CONFIRM)
    assert taken(deliveries, ActionName.CONFIRM_ORDER) == [CONFIRM.action_id]
    assert taken(deliveries) == [FIRST.action_id]


def test_what_a_lane_took_while_it_was_recorded_is_not_taken_again() -> None:
    """
    A poll may find a document, and send it, before whoever inserted it is answered, or although it
    is rolled back and inserted again.
    """
    deliveries = RecordedActions()
    deliveries.expect(ids_of([FIRST, SECOND]), NOW)
    deliveries.forget(FIRST.action_id)
    deliveries.add([FIRST], AT)
    assert taken(deliveries) == []
    deliveries.add([FIRST, SECOND], AT)
    assert taken(deliveries) == [SECOND.action_id]


def test_what_a_lane_took_since_is_not_taken_again() -> None:
    deliveries = added(FIRST, SECOND)
    deliveries.forget(SECOND.action_id)
    assert taken(deliveries) == [FIRST.action_id]


def test_what_was_not_expected_is_not_taken() -> None:
    deliveries = added(FIRST)
    deliveries.add([SECOND], AT)
    assert taken(deliveries) == []


def test_one_batch_is_kept_and_it_is_told_that_some_of_the_last_one_was_left() -> None:
    deliveries = added(FIRST)
    deliveries.expect(ids_of([SECOND]), NOW)
    assert deliveries.add([SECOND], AT)
    assert taken(deliveries) == [SECOND.action_id]
    deliveries.expect(ids_of([FIRST]), NOW)
    assert not deliveries.add([FIRST], AT)


def test_a_batch_may_be_recorded_in_parts() -> None:
    deliveries = RecordedActions()
    deliveries.expect(ids_of([FIRST, SECOND]), NOW)
    deliveries.add([FIRST], AT)
    assert taken(deliveries) == [FIRST.action_id]
    deliveries.add([SECOND], AT)
    assert taken(deliveries) == [SECOND.action_id]


def test_of_what_no_webhook_can_be_made_nothing_is_sent() -> None:
    """A member that this release doesn't know holds a number that JSON readers refuse."""
    assert FIRST.record.value is not None
    record = replace(FIRST.record, value=FIRST.record.value[:-1] + b',"later":1e400}')
    assert isinstance(decode_action(record), ReceivedAction)
    assert recorded_delivery(replace(FIRST, record=record), AT) is None
