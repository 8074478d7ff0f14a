"""Jobs whose messages were lost with a topic: the sweep handles those that an operator names."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from enricher.app.periodic_sweep import GRACE
from order_contracts.topics import ACTIONS, COMMANDS, CONTACTS
from order_operations.connections.system_address import MongoAddress
from order_operations.jobs.unfinished import Lack, have_handled_again, unfinished_jobs
from order_runtime.mongo.client import LINKS, UNFINISHED_JOBS
from support.builders.writer_fixtures import WriterFixture, WrittenCommand, reference_record
from support.harness.enricher_harness import (
    CONFIRM,
    NOW,
    EnricherHarness,
    article_record,
    contact_record,
    order_of_contact,
)
from support.stack.running_stack import RunningStack

LATER = NOW + timedelta(hours=1)
Lacks = dict[str, Lack]


@pytest.fixture
def address(stack: RunningStack, harness: EnricherHarness) -> MongoAddress:
    return MongoAddress(stack.mongo, harness.database.name)


async def lacking(address: MongoAddress) -> Lacks:
    found = await asyncio.to_thread(unfinished_jobs, address, None, 60)
    return {it.job_id: it.lacks for it in found}


async def handled_again(harness: EnricherHarness, address: MongoAddress) -> list[str]:
    """Have what is unfinished handled by the next sweep; return the actions that it publishes."""
    before = len(harness.publisher.on(ACTIONS.name))
    await asyncio.to_thread(have_handled_again, address, None, 60)
    await harness.sweeper()(LATER)
    return [it["actionId"] for it in harness.publisher.on(ACTIONS.name)[before:]]


async def fired_and_held(harness: EnricherHarness) -> list[WrittenCommand]:
    """Return an order whose action was fired at once, and one whose action was held until later."""
    late = WriterFixture("o-2").register(order_of_contact("c-2"), CONFIRM)
    await harness.add_references(contact_record(), article_record())
    at_once = WriterFixture("o-1").register(order_of_contact(), CONFIRM)
    await harness.handle(at_once, late)
    await harness.add_references(contact_record("c-2"))
    assert [await harness.stages(it) for it in (at_once, late)] == [("done", "fired")] * 2
    return [at_once, late]


async def test_actions_that_nobody_received_are_published_again_under_their_ids(
    harness: EnricherHarness, address: MongoAddress
) -> None:
    """That they were decided, and all else that is stored, stays as it was."""
    orders, sent = await fired_and_held(harness), harness.publisher.on(ACTIONS.name)
    before = await harness.dump()
    assert await lacking(address) == {it.job_id: Lack.DELIVERY for it in orders}

    again = await handled_again(harness, address)

    assert sorted(again) == sorted(it["actionId"] for it in sent)
    assert harness.publisher.on(ACTIONS.name)[len(sent) :] != []
    assert await harness.dump() == before
    assert await harness.database[UNFINISHED_JOBS].count_documents({}) == 0
    await harness.sweeper()(LATER + timedelta(hours=1))
    assert len(harness.publisher.on(ACTIONS.name)) == 2 * len(sent)


async def test_a_job_whose_event_was_lost_is_handled_by_the_next_sweep(
    harness: EnricherHarness, address: MongoAddress
) -> None:
    await harness.add_references(contact_record(), article_record())
    order = WriterFixture("o-1").register(order_of_contact(), CONFIRM)
    await harness.store([order])
    assert await lacking(address) == {order.job_id: Lack.ENRICHMENT}

    assert len(await handled_again(harness, address)) == 1

    assert await harness.stages(order) == ("done", "fired")


async def test_the_action_of_an_order_that_is_gone_is_dropped_and_the_log_says_so(
    harness: EnricherHarness, address: MongoAddress
) -> None:
    writer = WriterFixture("o-1")
    await harness.add_references(contact_record(), article_record())
    order = writer.register(order_of_contact(), CONFIRM)
    await harness.handle(order)
    await harness.handle(writer.delete())

    assert await handled_again(harness, address) == []

    assert await harness.stages(order) == ("done", "dropped")
    assert await harness.drop_reasons() == ["orderDeleted"]
    assert await lacking(address) == {}


async def test_a_deletion_that_was_commanded_and_lost_is_commanded_again(
    harness: EnricherHarness,
) -> None:
    """Its link is gone with the command. Orders without a link that nobody erased are let be."""
    orders = [WriterFixture(f"o-{it}").register(order_of_contact(f"c-{it}")) for it in (1, 2)]
    await harness.add_references(contact_record("c-1"), contact_record("c-2"), article_record())
    await harness.handle(*orders)
    await harness.add_references(reference_record(CONTACTS.name, "c-1", None, at=NOW))
    [lost] = harness.publisher.on(COMMANDS.name)
    await harness.database[LINKS].delete_many({})
    sweep = harness.sweeper()

    await sweep(LATER)
    assert harness.publisher.on(COMMANDS.name) == [lost]
    await sweep(LATER + GRACE)

    assert harness.publisher.on(COMMANDS.name) == [lost, lost]
    assert len(set(harness.publisher.ids())) == len(harness.publisher.ids()) - 1
