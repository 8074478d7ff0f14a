"""A stored document that the action-trigger can't read costs its own delivery alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import pytest

from action_trigger.app.action_recorder import ActionRecorder
from action_trigger.app.endpoint_queue import MAX_QUEUED
from action_trigger.app.outcome_publisher import OutcomePublisher
from action_trigger.domain.decode import decode_action
from action_trigger.domain.delivery import ReceivedAction
from order_contracts.order import ActionName
from order_contracts.topics import ACTIONS_DLQ, DELIVERIES
from order_runtime.documents.erasures import id_key, key_hash
from order_runtime.kafka.dead_letters import PREFIX
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import ACTION_DELIVERIES, ENDPOINTS, ERASURES
from order_runtime.process.isolation import MAX_UNREADABLE, EverythingFails
from support.builders.actions import ASKED_AT, action_record, order_action
from support.fakes.memory_kafka import MemoryPublisher
from support.harness.dispatch_harness import (
    PARTITIONS,
    DispatchHarness,
    NoDispatch,
    dispatch_harness,
    now,
    received_action,
    received_actions,
)
from support.stack.running_stack import RunningStack

pytestmark = pytest.mark.stack

NEWER = "newer"
SPOILT: Mapping[str, Mapping[str, Any]] = {
    "order": {"orderId": 7},
    "action": {"action": "SingASong"},
    "attempts": {"attempts": "many"},
    "body": {"body": 5},
    "size": {"size": None},
    "created": {"createdAt": "yesterday"},
}


@pytest.fixture
async def harness(stack: RunningStack) -> AsyncIterator[DispatchHarness]:
    async with dispatch_harness(stack.mongo) as made:
        yield made


async def spoil(harness: DispatchHarness, item: ReceivedAction, fields: Mapping[str, Any]) -> None:
    await harness.mongo[harness.database][ACTION_DELIVERIES].update_one(
        {"_id": item.action_id}, {"$set": dict(fields)}
    )


async def test_deliveries_that_can_not_be_read_are_passed_over_and_the_others_sent(
    harness: DispatchHarness,
) -> None:
    """One is of an order that has others; all are due before any other."""
    bad, good = received_actions(len(SPOILT)), received_actions(len(SPOILT) + 6)[len(SPOILT) :]
    behind = received_action(600, ActionName.CONFIRM_ORDER, bad[1].order_id)
    await harness.record(*bad, at=ASKED_AT)
    await harness.record(*good, behind)
    for item, fields in zip(bad, SPOILT.values(), strict=True):
        await spoil(harness, item, fields)
    everything = harness.mongo[harness.database][ACTION_DELIVERIES]
    await everything.insert_one({"_id": NEWER, "state": "pending", "partition": 1, "schema": 99})

    async with harness.run_dispatcher():
        await harness.wait_for_states({"pending": len(SPOILT) + 1, "delivered": len(good) + 1})

    assert set(harness.webhook_endpoint.accepted) == {it.action_id for it in (*good, behind)}


async def test_a_whole_page_of_them_keeps_no_other_from_its_turn(harness: DispatchHarness) -> None:
    bad, (good,) = received_actions(MAX_QUEUED + 10), received_actions(MAX_QUEUED + 11)[-1:]
    await harness.record(*bad, at=ASKED_AT)
    await harness.record(good)
    everything = harness.mongo[harness.database][ACTION_DELIVERIES]
    await everything.update_many({"_id": {"$ne": good.action_id}}, {"$set": {"size": "x"}})

    found = await harness.due(MAX_QUEUED)

    assert [it.id for it in found] == [good.action_id]


def publisher_of(harness: DispatchHarness, broker: MemoryPublisher) -> OutcomePublisher:
    return OutcomePublisher(
        harness.mongo, harness.database, harness.deliveries, broker, lambda: PARTITIONS
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"jobId": 5},
        {"attempts": [{"status": "fine"}]},
        {"state": 1},
        {"round": "two"},
        {"reason": ["none"]},
    ],
    ids=lambda it: next(iter(it)),
)
async def test_the_ends_of_others_are_announced(
    harness: DispatchHarness, fields: Mapping[str, Any]
) -> None:
    items = received_actions(3)
    await harness.record(*items)
    async with harness.run_dispatcher():
        await harness.wait_for_states({"delivered": 3})
    await spoil(harness, items[1], fields)
    broker = MemoryPublisher()

    assert await publisher_of(harness, broker).announce() == 2

    announced = {it["actionId"] for it in broker.on(DELIVERIES.name)}
    assert announced == {items[0].action_id, items[2].action_id}


@pytest.mark.parametrize("record", [5, {"topic": "orders.actions"}, {"headers": [1]}])
async def test_a_failed_action_whose_record_is_damaged_is_announced_without_a_letter(
    harness: DispatchHarness, record: object
) -> None:
    items = received_actions(2)
    await harness.record(*items)
    pending = await harness.due()
    await harness.deliveries.give_up(pending, "It is over", now())
    await spoil(harness, items[0], {"record": record})
    broker = MemoryPublisher()

    assert await publisher_of(harness, broker).announce() == 2

    letters = [it for it in broker.records if it.topic == ACTIONS_DLQ.name]
    assert [it.value for it in letters] == [items[1].record.value]


async def test_an_endpoint_whose_state_can_not_be_read_is_shut_and_an_operator_opens_it(
    harness: DispatchHarness,
) -> None:
    """He may have paused it; the others are open."""
    shut, open_one = received_actions(1), received_action(3, ActionName.CUSTOM)
    await harness.mongo[harness.database][ENDPOINTS].insert_one({"_id": "default", "state": 99})
    await harness.record(*shut, open_one)

    async with harness.run_dispatcher():
        await harness.wait_for_states({"pending": 1, "delivered": 1})
        await harness.set_endpoint_state("default", "enabled")
        await harness.wait_for_states({"delivered": 2})


async def test_an_action_is_a_dead_letter_if_nobody_can_tell_whether_its_contact_was_erased(
    harness: DispatchHarness,
) -> None:
    bad, good = action_of_contact(0), action_of_contact(1)
    await erase_illegibly(harness, bad)
    broker = MemoryPublisher()
    recorder = ActionRecorder(
        harness.mongo[harness.database], harness.deliveries, cast("Any", broker), NoDispatch()
    )

    await recorder.record([bad.record, good.record], now())

    [letter] = broker.records
    assert (letter.topic, letter.value) == (ACTIONS_DLQ.name, bad.record.value)
    assert dict(letter.headers)[f"{PREFIX}exception.class.name"] == b"InternalError"
    assert await harness.states() == {"pending": 1}


async def test_where_no_action_can_be_recorded_the_action_trigger_stops(
    harness: DispatchHarness,
) -> None:
    items, broker = (
        [action_of_contact(number) for number in range(MAX_UNREADABLE)],
        MemoryPublisher(),
    )
    for item in items:
        await erase_illegibly(harness, item)
    recorder = ActionRecorder(
        harness.mongo[harness.database], harness.deliveries, cast("Any", broker), NoDispatch()
    )

    with pytest.raises(EverythingFails):
        await recorder.record([it.record for it in items], now())

    assert broker.records == []


def action_of_contact(number: int) -> ReceivedAction:
    """Return an action of a contact of its own."""
    sent = action_record(order_action().model_copy(update={"contact_id": f"contact-{number}"}))
    record = Record(sent.topic, number, number, ASKED_AT, sent.key, sent.value, sent.headers)
    found = decode_action(record)
    assert isinstance(found, ReceivedAction)
    return found


async def erase_illegibly(harness: DispatchHarness, item: ReceivedAction) -> None:
    identity = key_hash(b"secret", id_key(item.contact_id))
    await harness.mongo[harness.database][ERASURES].update_one(
        {"_id": identity}, {"$set": {"schema": 99}}, upsert=True
    )
