"""The documents of dead letters: written before the offset is committed, once, whatever crashes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import pytest

from action_trigger.app.action_recorder import ActionRecorder
from action_trigger.app.outcome_publisher import OutcomePublisher
from enricher.app.periodic_sweep import GRACE
from order_contracts.topics import EVENTS_DLQ
from order_runtime.documents.deliveries import replay_update
from order_runtime.kafka.records import Outgoing, Record
from order_runtime.mongo.client import ACTION_DELIVERIES, DEAD_LETTERS, JOBS, LINKS, Document
from support.builders.actions import action_record, order_action
from support.builders.writer_fixtures import WriterFixture, WrittenCommand, read_back
from support.fakes.intercepted_database import WorkerDied
from support.fakes.memory_kafka import MemoryPublisher
from support.growth.round_trips import round_trips
from support.harness.dispatch_harness import (
    PARTITIONS,
    DispatchHarness,
    NoDispatch,
    dispatch_harness,
    now,
    received_actions,
)
from support.harness.enricher_harness import (
    NOW,
    EnricherHarness,
    article_record,
    contact_record,
    order_of_contact,
)
from support.stack.running_stack import RunningStack

pytestmark = pytest.mark.stack

GARBAGE = Record(
    *("orders.events", 0, 5, NOW, b"o-9", b'{"person": "kim@example.com"}'),
    (("ce_source", b"/intruder"),),
)
WRITES = 3  # of a batch: its links, its enrichments, its dead letters
FROM_SHOP = {"source": "/shop", "client": "web"}


async def registered(harness: EnricherHarness, order_id: str = "o-1") -> WrittenCommand:
    """Store an order whose job says who sent it."""
    await harness.add_references(contact_record(), article_record())
    written = WriterFixture(order_id).register(order_of_contact())
    await harness.store([written])
    await harness.database[JOBS].update_one({"_id": written.job_id}, {"$set": FROM_SHOP})
    return written


async def letters_of(harness: EnricherHarness) -> list[Document]:
    return await harness.database[DEAD_LETTERS].find().sort("_id").to_list()


async def spoil(harness: EnricherHarness, order_id: str = "o-1") -> None:
    await harness.database[LINKS].insert_one({"_id": order_id, "schema": 99})


async def test_an_event_is_the_letter_of_whoever_sent_its_command(
    harness: EnricherHarness,
) -> None:
    """And one that can't be read is that of whoever wrote it."""
    written = await registered(harness)
    await spoil(harness)
    await harness.handle_events([GARBAGE, read_back(written.event)])

    unreadable, failed = sorted(await letters_of(harness), key=lambda it: it["code"], reverse=True)
    told = ("code", "orderId", "jobId", "source", "client", "state")
    assert [unreadable.get(it) for it in told] == [
        *("Unreadable", "o-9", None, "/intruder", None, "open"),
    ]
    assert [failed.get(it) for it in told] == [
        *("InternalError", "o-1", written.job_id, "/shop", "web", "open"),
    ]
    assert "kim" not in str(unreadable)


@pytest.mark.parametrize("writes", range(WRITES + 1))
async def test_a_crash_before_the_end_of_a_batch_neither_loses_nor_doubles_a_letter(
    harness: EnricherHarness, writes: int
) -> None:
    """The batch comes again: its offset is committed after all of its writes."""
    written = await registered(harness)
    batch = [GARBAGE, read_back(written.event)]
    died = False
    try:
        await harness.handle_events(batch, dies_after=writes)
    except WorkerDied:
        died = True
        await harness.handle_events(batch)

    [letter] = await letters_of(harness)
    assert (letter["_id"], letter["state"]) == ("orders.events/0/5/1", "open")
    assert died is (writes < WRITES)


async def test_a_batch_with_letters_makes_one_round_trip_more(harness: EnricherHarness) -> None:
    batch = [replace(GARBAGE, offset=number) for number in range(20)]
    with round_trips(harness.database.name) as commands:
        await harness.event_handler_alone()(batch, NOW)
    assert commands == {"update dead_letters": 1}
    assert len(await letters_of(harness)) == 20


async def test_a_replay_that_is_handled_settles_its_letters_and_one_that_fails_is_the_open_one(
    harness: EnricherHarness,
) -> None:
    written = await registered(harness)
    await spoil(harness)
    await harness.handle_events([read_back(written.event)])
    await harness.handle_events([replay_of_last(harness, 10)])
    assert [it["state"] for it in by_attempt(await letters_of(harness))] == ["replayed", "open"]

    await harness.database[LINKS].delete_one({"_id": "o-1"})
    await harness.handle_events([replay_of_last(harness, 20)])
    assert [it["state"] for it in await letters_of(harness)] == ["settled", "settled"]


async def test_what_the_sweep_repairs_is_settled(harness: EnricherHarness) -> None:
    written = await registered(harness)
    await spoil(harness)
    await harness.handle_events([read_back(written.event)])
    await harness.database[LINKS].delete_one({"_id": "o-1"})
    sweep = harness.sweeper()
    await sweep(NOW + GRACE)
    await sweep(NOW + 2 * GRACE)
    assert [it["state"] for it in await letters_of(harness)] == ["settled"]


async def test_the_log_says_who_sent_an_order_that_lacks_something(
    harness: EnricherHarness,
) -> None:
    written = WriterFixture("o-1").register(order_of_contact("nobody"))
    await harness.store([written])
    await harness.database[JOBS].update_one({"_id": written.job_id}, {"$set": FROM_SHOP})
    await harness.handle_events([read_back(written.event)])

    entries = await harness.database["integration_log"].find().to_list()
    assert {it["code"] for it in entries} == {"ContactMissing", "ArticleMissing"}
    assert [(it["source"], it["client"]) for it in entries] == [("/shop", "web")] * 2


def replay_of_last(harness: EnricherHarness, offset: int) -> Record:
    letter = [it for it in harness.publisher.records if it.topic == EVENTS_DLQ.name][-1]
    return Record(
        *("orders.events", 0, offset, NOW.replace(second=offset)),
        *(letter.key, letter.value, letter.headers),
    )


def by_attempt(letters: list[Document]) -> list[Document]:
    return sorted(letters, key=lambda it: int(it["attempt"]))


@pytest.fixture
async def trigger(stack: RunningStack) -> AsyncIterator[DispatchHarness]:
    async with dispatch_harness(stack.mongo) as made:
        yield made


def outcomes(trigger: DispatchHarness, broker: MemoryPublisher) -> OutcomePublisher:
    return OutcomePublisher(
        trigger.mongo, trigger.database, trigger.deliveries, broker, lambda: PARTITIONS
    )


async def letters_at(trigger: DispatchHarness) -> list[Document]:
    return await trigger.mongo[trigger.database][DEAD_LETTERS].find().to_list()


class DiesOnce(MemoryPublisher):
    """Its process dies once, just after a letter was published."""

    died = False

    async def publish(self, record: Outgoing) -> None:
        await super().publish(record)
        if not self.died:
            self.died = True
            raise WorkerDied


async def test_each_failure_of_a_delivery_opens_its_letter_until_it_is_delivered(
    trigger: DispatchHarness,
) -> None:
    """Also where the action-trigger dies between publishing the letter and recording it."""
    [one] = received_actions(1)
    await trigger.record(one)
    broker, states = DiesOnce(), list[str]()
    with pytest.raises(WorkerDied):
        await fail(trigger, broker)
    assert await letters_at(trigger) == []
    for ends in ("announce again", "fail", "deliver"):
        await {"announce again": announce, "fail": fail, "deliver": deliver}[ends](trigger, broker)
        [letter] = await letters_at(trigger)
        states.append(letter["state"])
        assert (letter["code"], letter["jobId"]) == ("ActionFailed", one.job_id)
        assert letter["orderId"] == one.order_id
        everything = trigger.mongo[trigger.database][ACTION_DELIVERIES]
        await everything.update_one({"_id": one.action_id}, replay_update(now()))
        await announce(trigger, broker)
    assert states == ["open", "open", "settled"]


async def announce(trigger: DispatchHarness, broker: MemoryPublisher) -> None:
    await outcomes(trigger, broker).announce()


async def fail(trigger: DispatchHarness, broker: MemoryPublisher) -> None:
    await trigger.deliveries.give_up(await trigger.due(), "It is over", now())
    await announce(trigger, broker)


async def deliver(trigger: DispatchHarness, broker: MemoryPublisher) -> None:
    async with trigger.run_dispatcher():
        await trigger.wait_for_states({"delivered": 1})
    await announce(trigger, broker)


async def test_an_action_that_can_not_be_read_is_recorded_with_its_batch(
    trigger: DispatchHarness,
) -> None:
    bad = Record("orders.actions", 3, 7, now(), b"o-1", b'{"person": "kim@example.com"}')
    [good] = received_actions(1)
    database = trigger.mongo[trigger.database]
    recorder = ActionRecorder(
        database, trigger.deliveries, cast("Any", MemoryPublisher()), NoDispatch()
    )
    for _ in range(2):  # as after a crash before its offset was committed
        await recorder.record([bad, good.record], now())
    [letter] = await letters_at(trigger)
    assert (letter["_id"], letter["code"]) == ("orders.actions/3/7/1", "ValidationFailed")
    assert "kim" not in str(letter)


async def test_a_replayed_action_that_is_recorded_is_no_open_letter_any_more(
    trigger: DispatchHarness,
) -> None:
    action = order_action()
    sent = action_record(action)
    first = Record(
        "orders.actions", 3, 7, now(), sent.key, b"{", (*sent.headers, ("traceparent", None))
    )
    database, broker = trigger.mongo[trigger.database], MemoryPublisher()
    recorder = ActionRecorder(database, trigger.deliveries, cast("Any", broker), NoDispatch())
    await recorder.record([first], now())
    [letter] = broker.records
    again = replace(first, offset=8, value=sent.value, headers=letter.headers)
    await recorder.record([again], now())
    assert [it["state"] for it in await letters_at(trigger)] == ["replayed"]
