"""What the dispatcher reads and sends doesn't depend on how many deliveries one order gathered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace

import pytest

from action_trigger.app.endpoint_client import MAX_IN_FLIGHT
from action_trigger.app.endpoint_queue import MAX_QUEUED
from action_trigger.domain.delivery import ReceivedAction
from action_trigger.domain.ordering import LANE_DEPTH
from order_contracts.order import ActionName
from order_runtime.mongo.client import ACTION_DELIVERIES
from support.growth.profile import Profile, Work
from support.harness.dispatch_harness import (
    PARTITIONS,
    DispatchHarness,
    dispatch_harness,
    eventually,
    now,
    received_action,
    received_actions,
)
from support.stack.running_stack import RunningStack

BUSY = "busy"
OTHERS = 100
SIZES = (30, 600, pytest.param(3_000, marks=pytest.mark.faults))
EXAMINED_EACH = 9  # documents for a delivery: found due, its order's, its body, its attempt
WRITTEN_EACH = 4  # recorded as parked, taken out, attempted
ACTIONS = list(ActionName)


@pytest.fixture
async def harness(stack: RunningStack) -> AsyncIterator[DispatchHarness]:
    async with dispatch_harness(stack.mongo) as made:
        yield made


def of_a_busy_order(count: int) -> list[ReceivedAction]:
    return [received_action(12 * number, ActionName.CUSTOM, BUSY) for number in range(count)]


def of_others(after: int) -> list[ReceivedAction]:
    return [received_action(12 * after + number, ActionName.CUSTOM) for number in range(OTHERS)]


@pytest.mark.parametrize("count", SIZES)
async def test_a_busy_order_leaves_the_others_their_webhooks(
    harness: DispatchHarness, count: int
) -> None:
    """All that are sent hang, so that whoever takes a place keeps it."""
    busy = of_a_busy_order(count)
    harness.webhook_endpoint.hangs = True
    await harness.record(*busy)
    await harness.record(*of_others(count))
    async with harness.run_dispatcher():
        await eventually(lambda: in_flight(harness, MAX_IN_FLIGHT), 60)
        await eventually(lambda: parked(harness, count - LANE_DEPTH), 60)
    sent = {it.action_id for it in busy} & set(harness.webhook_endpoint.posts)
    assert sent == {busy[0].action_id}


@pytest.mark.parametrize("count", SIZES)
async def test_a_delivery_costs_the_same_however_many_its_order_has(
    harness: DispatchHarness, stack: RunningStack, count: int
) -> None:
    """Beside the polls of whoever finds little; all are sent, the busy order's in their order."""
    busy, others = of_a_busy_order(count), of_others(count)
    await harness.record(*busy)
    await harness.record(*others)
    with Profile(stack.mongo, harness.database) as profile:
        async with harness.run_dispatcher():
            await eventually(lambda: accepted(harness, count + OTHERS), 100)
    work = profile.of(ACTION_DELIVERIES)
    ids = {it.action_id for it in busy}
    assert [it for it in harness.webhook_endpoint.posts if it in ids] == [
        it.action_id for it in busy
    ]
    assert work.examined <= EXAMINED_EACH * (count + OTHERS), work
    assert work.written <= WRITTEN_EACH * (count + OTHERS), work


async def in_flight(harness: DispatchHarness, count: int) -> bool:
    return harness.webhook_endpoint.in_flight == count


async def accepted(harness: DispatchHarness, count: int) -> bool:
    return harness.webhook_endpoint.accepted.total() == count


async def parked(harness: DispatchHarness, count: int) -> bool:
    everything = harness.mongo[harness.database][ACTION_DELIVERIES]
    return await everything.count_documents({"parked": True}) == count


async def cost(harness: DispatchHarness, mongo: str, call: Awaitable[object]) -> Work:
    with Profile(mongo, harness.database) as profile:
        await call
    return profile.of(ACTION_DELIVERIES)


@pytest.mark.parametrize("count", SIZES)
async def test_a_poll_finds_new_ones_beside_what_an_order_has_parked(
    harness: DispatchHarness, stack: RunningStack, count: int
) -> None:
    """One of another order is recorded while the busy one has a lane: it alone is to be found."""
    harness.webhook_endpoint.hangs = True
    await harness.record(*of_a_busy_order(count))
    async with harness.run_dispatcher():
        await eventually(lambda: parked(harness, count - LANE_DEPTH), 60)
    await harness.record(received_action(12 * count, ActionName.CUSTOM))
    schedule, backlogs = harness.stores.schedule, harness.stores.backlogs
    calls: list[tuple[Awaitable[object], int]] = [
        (schedule.due(PARTITIONS, ACTIONS, now(), MAX_QUEUED), LANE_DEPTH + 1),
        (schedule.next_due(PARTITIONS, ACTIONS, now()), 1),
        (backlogs.of_orders([BUSY, "other"], now()), LANE_DEPTH),
        (backlogs.parked(BUSY, ACTIONS, now()), 4 * LANE_DEPTH + 2),
    ]
    for call, most in calls:
        work = await cost(harness, stack.mongo, call)
        assert work.examined <= most, work


@pytest.mark.parametrize("count", SIZES)
async def test_webhooks_are_read_by_id_however_many_are_pending(
    harness: DispatchHarness, stack: RunningStack, count: int
) -> None:
    """An index of states has all that are pending, in whose beginning those asked for are not."""
    items = received_actions(count, ActionName.CUSTOM)
    await harness.record(*items)
    asked = [it.action_id for it in items[-count // 3 :]]
    work = await cost(harness, stack.mongo, harness.deliveries.bodies(asked))
    assert work.returned == work.examined == len(asked), work


@pytest.mark.parametrize("count", SIZES)
async def test_with_200_partitions_a_poll_reads_what_it_returns(
    harness: DispatchHarness, stack: RunningStack, count: int
) -> None:
    """The index gives it in the order of due times, however many are due."""
    await harness.record(*spread(count, partitions=200))
    limit = min(count, MAX_QUEUED)
    for partitions in (range(200), range(0, 200, 4)):
        with Profile(stack.mongo, harness.database) as profile:
            page = await harness.stores.schedule.due(partitions, ACTIONS, now(), limit)
        work = profile.of(ACTION_DELIVERIES)
        assert work.examined == len(page.items) <= limit + 7, work
        assert work.keys <= len(page.items) + 2 * len(partitions) * len(ACTIONS), work


def spread(count: int, partitions: int) -> list[ReceivedAction]:
    """Return actions over all partitions and kinds."""
    items = [item for action in ACTIONS for item in received_actions(count // len(ACTIONS), action)]
    return [
        replace(item, record=replace(item.record, partition=number % partitions, offset=number))
        for number, item in enumerate(items)
    ]
