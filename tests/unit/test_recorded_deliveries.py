"""What was just recorded is sent from memory, unless a lane has had it already."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from action_trigger.app.recorded_deliveries import RecordedAction, RecordedDeliveries
from action_trigger.domain.delivery import ReceivedAction
from order_contracts.order import ActionName
from support.harness.dispatch_harness import received_action

AT = datetime(2026, 1, 2, 12, tzinfo=UTC)
NOW = AT + timedelta(seconds=1)
FIRST, SECOND = (received_action(offset, ActionName.CUSTOM) for offset in (1, 2))
CONFIRM = received_action(3, ActionName.CONFIRM_ORDER)


def added(*actions: ReceivedAction) -> RecordedDeliveries:
    deliveries = RecordedDeliveries()
    deliveries.expect(ids_of(actions))
    deliveries.add(actions, AT, NOW)
    return deliveries


def ids_of(actions: Iterable[ReceivedAction]) -> list[str]:
    return [it.action_id for it in actions]


def taken(deliveries: RecordedDeliveries, *names: ActionName) -> list[str]:
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
    """A poll may find a document, and send it, before whoever inserted it is answered."""
    deliveries = RecordedDeliveries()
    deliveries.expect(ids_of([FIRST, SECOND]))
    deliveries.forget(FIRST.action_id)
    deliveries.add([FIRST, SECOND], AT, NOW)
    assert taken(deliveries) == [SECOND.action_id]


def test_what_a_lane_took_since_is_not_taken_again() -> None:
    deliveries = added(FIRST, SECOND)
    deliveries.forget(SECOND.action_id)
    assert taken(deliveries) == [FIRST.action_id]


def test_what_was_not_expected_is_not_taken() -> None:
    deliveries = added(FIRST)
    deliveries.add([SECOND], AT, NOW)
    assert taken(deliveries) == []


def test_one_batch_is_kept_and_it_is_told_that_some_of_the_last_one_was_left() -> None:
    deliveries = added(FIRST)
    deliveries.expect(ids_of([SECOND]))
    assert deliveries.add([SECOND], AT, NOW)
    assert taken(deliveries) == [SECOND.action_id]
    deliveries.expect(ids_of([FIRST]))
    assert not deliveries.add([FIRST], AT, NOW)
