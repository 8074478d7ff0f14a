"""Whose turn it is among the deliveries of one order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from action_trigger.domain.delivery import PendingDelivery
from action_trigger.domain.ordering import LOOK_AGAIN, PRECEDENCE, blocked_until
from order_contracts.order import ActionName

NOW = datetime(2025, 12, 1, 12, tzinfo=UTC)


def delivery(offset: int, *, age: float = 0, due_in: float = 0) -> PendingDelivery:
    return PendingDelivery(
        id=f"d{offset}",
        order_id="o",
        partition=0,
        offset=offset,
        action=ActionName.CUSTOM,
        size=1,
        attempts=0,
        scheduled=0,
        due_at=NOW + timedelta(seconds=due_in),
        created_at=NOW - timedelta(seconds=age),
        started_at=NOW - timedelta(seconds=age),
    )


def test_the_first_goes_at_once() -> None:
    assert blocked_until(delivery(1), [delivery(2), delivery(3)], NOW) is None


def test_a_later_one_waits_until_the_first_is_tried_again() -> None:
    first = delivery(1, age=1, due_in=5)
    assert blocked_until(delivery(2), [first], NOW) == first.due_at


def test_it_waits_no_longer_than_the_first_is_young() -> None:
    first = delivery(1, age=50, due_in=300)
    assert blocked_until(delivery(2), [first], NOW) == first.created_at + PRECEDENCE


def test_a_first_that_keeps_failing_gives_way() -> None:
    assert blocked_until(delivery(2), [delivery(1, age=60, due_in=300)], NOW) is None


def test_it_never_looks_again_in_a_hurry() -> None:
    assert blocked_until(delivery(2), [delivery(1, age=1, due_in=-3)], NOW) == NOW + LOOK_AGAIN
