"""An order's held actions are bounded, and one more event costs the same, however many it had."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from order_runtime.mongo.client import ENRICHMENTS, HELD, INTEGRATION_LOG
from support.builders.bodies import Json
from support.builders.writer_fixtures import WriterFixture, read_back
from support.growth.profile import Profile, Work
from support.harness.enricher_harness import (
    EnricherHarness,
    MakeHarness,
    contact_record,
    order_of_contact,
)
from support.model.held_model import MAX_HELD
from support.stack.running_stack import RunningStack

SIZES = pytest.mark.parametrize(
    ("few", "many"),
    [(130, 400), pytest.param(1_000, 4_000, marks=[pytest.mark.faults, pytest.mark.timeout(600)])],
)


def custom(at: int) -> Json:
    return {"action": "Custom", "data": {"at": at}}


async def hold(harness: EnricherHarness, count: int) -> WriterFixture:
    """Let an order without a contact ask for so many actions, each another one."""
    writer = WriterFixture("o-1")
    written = [writer.register(order_of_contact(), custom(0))]
    written += [writer.change_status(custom(at)) for at in range(1, count)]
    await harness.handle(*written)
    return writer


async def work_of_one_more(
    stack: RunningStack, harness: EnricherHarness, writer: WriterFixture, action: Json
) -> Work:
    one_more = writer.change_status(action)
    await harness.store([one_more])
    with Profile(stack.mongo, harness.database.name) as profile:
        await harness.handle_events([read_back(one_more.event)])
    return profile.of()


@SIZES
async def test_one_more_event_of_an_order_costs_the_same_however_many_actions_it_asked_for(
    stack: RunningStack, make_harness: MakeHarness, few: int, many: int
) -> None:
    """
    Neither the actions that ended are read again, nor all that were ever asked for.
    """
    costs = []
    for count in (few, many):
        harness = await make_harness()
        writer = await hold(harness, count)
        costs.append(await work_of_one_more(stack, harness, writer, custom(-1)))

    assert replace(costs[1], keys=costs[0].keys) == costs[0]
    assert abs(costs[1].keys - costs[0].keys) < 10
    assert costs[0].examined < 7 * MAX_HELD


async def test_beyond_the_bound_the_oldest_action_is_dropped_and_the_log_says_so(
    harness: EnricherHarness,
) -> None:
    """
    The others fire when the contact comes, in their order.
    """
    await hold(harness, MAX_HELD + 30)

    held = await harness.database[HELD].find().sort("version").to_list()
    states = [it["state"] for it in held]
    dropped = [it["jobId"] for it in held[:30]]
    entries = await harness.database[INTEGRATION_LOG].find({"code": "ActionDropped"}).to_list()
    assert states == ["dropped"] * 30 + ["waiting"] * MAX_HELD
    assert sorted(it["jobId"] for it in entries) == sorted(dropped)
    assert await action_stages(harness) == {"dropped": 30, "held": MAX_HELD}

    await harness.add_references(contact_record())

    fired = [it["data"]["at"] for it in harness.publisher.on("orders.actions")]
    assert fired == list(range(30, MAX_HELD + 30))
    assert await action_stages(harness) == {"dropped": 30, "fired": MAX_HELD}


async def action_stages(harness: EnricherHarness) -> Counter[str]:
    enrichments = await harness.database[ENRICHMENTS].find().to_list()
    return Counter(it["action"] for it in enrichments)
