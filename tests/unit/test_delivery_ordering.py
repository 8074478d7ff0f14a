"""The order in which the deliveries of one orderId are sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from action_trigger.domain.delivery import PendingDelivery
from action_trigger.domain.ordering import (
    MAX_RECHECK,
    MIN_RECHECK,
    PRECEDENCE,
    Backlog,
    blocked_until,
    first_of_each_order,
    free_to_follow,
    parked_until,
    split_by_turn,
)
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


def nothing_queued(_: PendingDelivery) -> bool:
    return False


def test_the_first_goes_at_once() -> None:
    assert blocked_until(delivery(1), [delivery(2), delivery(3)], NOW) is None


def test_a_delivery_does_not_wait_for_itself() -> None:
    assert blocked_until(delivery(1), [delivery(1, due_in=5)], NOW) is None


def test_a_later_one_waits_as_long_as_the_first_is_young() -> None:
    """When the first is tried again, its lane takes out those that wait behind it."""
    first = delivery(1, age=50, due_in=5)
    assert blocked_until(delivery(2), [first], NOW) == first.created_at + PRECEDENCE


def test_it_waits_until_the_oldest_of_several_gives_way() -> None:
    first, second = delivery(1, age=9), delivery(2, age=5)
    assert blocked_until(delivery(3), [second, first], NOW) == first.created_at + PRECEDENCE


def test_a_first_that_keeps_failing_gives_way_after_a_minute() -> None:
    assert blocked_until(delivery(2), [delivery(1, age=60, due_in=300)], NOW) is None
    at = blocked_until(delivery(2), [delivery(1, age=58, due_in=300)], NOW)
    assert at == NOW + timedelta(seconds=2)


def test_it_never_looks_again_in_a_hurry() -> None:
    assert blocked_until(delivery(2), [delivery(1, age=59.9)], NOW) == NOW + MIN_RECHECK
    assert timedelta(seconds=1) == MIN_RECHECK


def test_those_that_may_go_are_sorted_and_those_that_have_to_wait_have_a_time() -> None:
    backlog = Backlog(young=(delivery(3, age=1, due_in=5),))
    candidates = [delivery(4), delivery(2), delivery(1)]
    ready, postponed = split_by_turn(candidates, {"o": backlog}, nothing_queued, NOW)
    assert ready == [delivery(1), delivery(2)]
    assert postponed == [(delivery(4), NOW + timedelta(seconds=59))]


def test_what_is_queued_or_found_as_well_blocks_no_other() -> None:
    """Its lane sends it before."""
    backlog = Backlog(young=(delivery(1), delivery(2)))
    found = split_by_turn(
        [delivery(2), delivery(3)], {"o": backlog}, lambda it: it == delivery(1), NOW
    )
    assert found == ([delivery(2), delivery(3)], [])


def test_a_new_one_comes_after_those_that_are_parked() -> None:
    backlogs = {"o": Backlog(has_parked=True)}
    found = split_by_turn([delivery(2)], backlogs, nothing_queued, NOW)
    assert found == ([], [(delivery(2), NOW + PRECEDENCE)])
    tried = replace(delivery(2), attempts=1)
    assert split_by_turn([tried], backlogs, nothing_queued, NOW) == ([tried], [])
    probe = split_by_turn([delivery(2)], backlogs, nothing_queued, NOW, probing=True)
    assert probe == ([delivery(2)], [])


def test_a_parked_one_is_looked_at_again_the_later_the_older_it_is() -> None:
    waits = [parked_until(delivery(1, age=age), NOW) - NOW for age in (0, 60, 300, 3_600)]
    assert waits == [PRECEDENCE, PRECEDENCE, timedelta(seconds=300), MAX_RECHECK]
    assert timedelta(minutes=10) == MAX_RECHECK


def test_of_each_order_as_many_are_chosen_as_its_lane_has_room_for() -> None:
    elsewhere = replace(delivery(1, due_in=-9), order_id="other", id="e")
    items = [delivery(3), delivery(1), elsewhere, delivery(2)]
    chosen, others = first_of_each_order(items, {"o": 2, "other": 8}.__getitem__)
    assert chosen == [elsewhere, delivery(1), delivery(2)]
    assert others == [delivery(3)]
    assert first_of_each_order([delivery(1)], lambda _: 0) == ([], [delivery(1)])


def test_parked_ones_follow_until_one_has_to_wait_for_another() -> None:
    parked = [delivery(1), delivery(2), delivery(4), delivery(5)]
    assert free_to_follow(parked, [delivery(1), delivery(3)], NOW) == parked[:2]
    assert free_to_follow(parked, [*parked, delivery(9)], NOW) == parked
    assert free_to_follow(parked, [delivery(3, age=61)], NOW) == parked


def test_partitions_are_sorted_before_offsets() -> None:
    elsewhere = replace(delivery(1), partition=1)
    ready, _ = split_by_turn([elsewhere, delivery(2)], {}, nothing_queued, NOW)
    assert ready == [delivery(2), elsewhere]


def test_orders_do_not_wait_for_one_another() -> None:
    backlogs = {"other": Backlog(young=(delivery(1, due_in=5),), has_parked=True)}
    found = split_by_turn([delivery(2)], backlogs, nothing_queued, NOW)
    assert found == ([delivery(2)], [])
