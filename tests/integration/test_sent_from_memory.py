"""What was just recorded is sent without being read back, and never from both places."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from action_trigger.adapters.delivery_documents import CONTENT_FIELDS, recorded_delivery
from action_trigger.domain.delivery import ReceivedAction
from order_contracts.order import ActionName
from order_runtime.mongo.client import ACTION_DELIVERIES
from support.growth.profile import Profile
from support.harness.dispatch_harness import (
    DispatchHarness,
    actions_of_one_order,
    dispatch_harness,
    eventually,
    now,
    received_action,
    received_actions,
)
from support.stack.running_stack import RunningStack

pytestmark = pytest.mark.stack


@pytest.fixture
async def harness(stack: RunningStack) -> AsyncIterator[DispatchHarness]:
    async with dispatch_harness(stack.mongo) as made:
        yield made


async def delivered(harness: DispatchHarness, *items: ReceivedAction) -> None:
    async def all_delivered() -> bool:
        found = [await harness.document(it) for it in items]
        return all(it["state"] == "delivered" for it in found)

    await eventually(all_delivered)


async def test_what_is_recorded_is_what_is_read_back(harness: DispatchHarness) -> None:
    """Its times are to the millisecond, as MongoDB keeps them."""
    [item] = received_actions(1)
    asked_at = item.accepted_at + timedelta(microseconds=123_456)
    exact = replace(item, accepted_at=asked_at, traceparent=f"00-{7:032x}-{7:016x}-01")
    created_at = now()
    [recorded] = await harness.deliveries.record([exact], created_at)
    [due] = await harness.due()
    bodies = await harness.deliveries.bodies([due.id])
    assert recorded_delivery(recorded, created_at) == (due, bodies[due.id])


async def test_what_is_recorded_is_sent_without_being_read_back(
    harness: DispatchHarness, stack: RunningStack
) -> None:
    first, *others = received_actions(30)
    async with harness.run_dispatcher():
        await harness.record(first)
        await delivered(harness, first)
        with Profile(stack.mongo, harness.database) as profile:
            await harness.record(*others)
            await delivered(harness, *others)
    finds = [it["command"] for it in profile.entries if "find" in it["command"]]
    of_deliveries = [it for it in finds if it["find"] == ACTION_DELIVERIES]
    assert of_deliveries, "whose turn it is"
    assert not [it for it in of_deliveries if CONTENT_FIELDS.items() <= _fields(it).items()]
    assert set(harness.webhook_endpoint.posts.values()) == {1}


def _fields(find: dict[str, dict[str, object]]) -> dict[str, object]:
    return find.get("projection", {})


async def test_what_a_poll_found_first_is_not_sent_again(harness: DispatchHarness) -> None:
    """It is inserted, found, and sent before the one who inserted it goes on."""
    first, later = received_actions(2)
    async with harness.run_dispatcher() as dispatcher:
        dispatcher.expect([first.action_id])
        created_at = now()
        recorded = await harness.deliveries.record([first], created_at)
        dispatcher.wake()
        await delivered(harness, first)
        dispatcher.recorded(recorded, created_at)
        await harness.record(later)
        await delivered(harness, later)
    assert harness.webhook_endpoint.posts == {first.action_id: 1, later.action_id: 1}


async def test_actions_of_one_order_keep_their_order(harness: DispatchHarness) -> None:
    """More than its lane takes, recorded one by one: the others are parked behind them."""
    items = actions_of_one_order(40)
    async with harness.run_dispatcher():
        for item in items:
            await harness.record(item)
        await harness.wait_for_states({"delivered": len(items)}, 60)
    assert list(harness.webhook_endpoint.posts) == [it.action_id for it in items]
    assert set(harness.webhook_endpoint.posts.values()) == {1}


async def test_what_the_queue_has_no_space_for_is_read_when_it_has(
    harness: DispatchHarness,
) -> None:
    items = received_actions(1_200, ActionName.CUSTOM)
    async with harness.run_dispatcher():
        for start in range(0, len(items), 400):
            await harness.record(*items[start : start + 400])
        await harness.wait_for_states({"delivered": len(items)}, 60)
    assert set(harness.webhook_endpoint.posts.values()) == {1}


async def test_an_action_that_comes_again_is_not_sent_again(harness: DispatchHarness) -> None:
    """Its record was not committed before a crash."""
    first, second = received_actions(2)
    async with harness.run_dispatcher():
        await harness.record(first)
        await delivered(harness, first)
        await harness.record(first, second)
        await delivered(harness, second)
    assert harness.webhook_endpoint.posts == {first.action_id: 1, second.action_id: 1}


async def test_two_actions_of_one_order_for_two_endpoints_are_sent_one_after_the_other(
    harness: DispatchHarness,
) -> None:
    """Each endpoint's queue meets them at the same time, and one has to wait for the other."""
    pairs = [
        (
            received_action(24 * number, ActionName.CONFIRM_ORDER, f"o-{number}"),
            received_action(24 * number + 12, ActionName.CUSTOM, f"o-{number}"),
        )
        for number in range(20)
    ]
    async with harness.run_dispatcher():
        for pair in pairs:
            await harness.record(*pair)
        await harness.wait_for_states({"delivered": 2 * len(pairs)}, 20)
    places = {it: place for place, it in enumerate(harness.webhook_endpoint.posts)}
    assert all(places[first.action_id] < places[second.action_id] for first, second in pairs)
