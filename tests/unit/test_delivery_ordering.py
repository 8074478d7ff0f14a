"""The order in which the deliveries of one orderId are sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from action_trigger.domain.delivery import PendingDelivery
from action_trigger.domain.ordering import MIN_RECHECK, PRECEDENCE, blocked_until, split_by_turn
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


def test_a_delivery_does_not_wait_for_itself() -> None:
    assert blocked_until(delivery(1), [delivery(1, due_in=5)], NOW) is None


def test_a_later_one_waits_until_the_first_is_tried_again() -> None:
    first = delivery(1, age=1, due_in=5)
    assert blocked_until(delivery(2), [first], NOW) == first.due_at


def test_it_waits_for_the_earlier_one_that_is_tried_again_first() -> None:
    first, second = delivery(1, age=1, due_in=9), delivery(2, age=1, due_in=5)
    assert blocked_until(delivery(3), [first, second], NOW) == second.due_at


def test_it_waits_no_longer_than_the_first_is_young() -> None:
    first = delivery(1, age=50, due_in=300)
    assert blocked_until(delivery(2), [first], NOW) == first.created_at + PRECEDENCE


def test_a_first_that_keeps_failing_gives_way_after_a_minute() -> None:
    assert blocked_until(delivery(2), [delivery(1, age=60, due_in=300)], NOW) is None
    at = blocked_until(delivery(2), [delivery(1, age=58, due_in=300)], NOW)
    assert at == NOW + timedelta(seconds=2)


def test_it_never_looks_again_in_a_hurry() -> None:
    assert blocked_until(delivery(2), [delivery(1, age=1, due_in=-3)], NOW) == NOW + MIN_RECHECK
    assert timedelta(seconds=1) == MIN_RECHECK


def test_those_that_may_go_are_sorted_and_those_that_have_to_wait_have_a_time() -> None:
    first = delivery(3, age=1, due_in=5)
    ready, postponed = split_by_turn([delivery(4), delivery(2), delivery(1)], [first], NOW)
    assert ready == [delivery(1), delivery(2)]
    assert postponed == [(delivery(4), first.due_at)]


def test_partitions_are_sorted_before_offsets() -> None:
    elsewhere = replace(delivery(1), partition=1)
    ready, _ = split_by_turn([elsewhere, delivery(2)], [], NOW)
    assert ready == [delivery(2), elsewhere]


def test_orders_do_not_wait_for_one_another() -> None:
    of_another_order = replace(delivery(1, due_in=5), order_id="other")
    assert split_by_turn([delivery(2)], [of_another_order], NOW) == ([delivery(2)], [])
