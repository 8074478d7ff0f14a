"""A key that many contacts share costs a batch no more than one that a few share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from enricher.adapters import reference_store
from enricher.adapters.links import link_of
from enricher.adapters.queued_orders import queued_orders
from order_contracts.topics import CONTACTS as TOPIC
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import CONTACTS, LINKS, ORDERS
from support.builders.writer_fixtures import WriterFixture, read_back, reference_record
from support.growth.profile import Profile, Work
from support.harness.enricher_harness import (
    CONFIRM,
    KEYS,
    NOW,
    EnricherHarness,
    MakeHarness,
    contact_record,
    order_of_contact,
)
from support.stack.running_stack import RunningStack

SHARED = {"email": "none@none.example"}
ORDER: dict[str, Any] = {"key": SHARED["email"], "kind": "Email", "orderAction": CONFIRM}
SIZES = pytest.mark.parametrize(
    ("few", "many"),
    [(30, 300), pytest.param(1_000, 10_000, marks=[pytest.mark.faults, pytest.mark.timeout(600)])],
)


async def add_contacts(harness: EnricherHarness, count: int, **fields: str) -> None:
    """Store so many contacts that share a key, all in one batch."""
    prefix = fields.get("contactType", "c")
    await store(
        harness, [contact_record(f"{prefix}-{at}", **SHARED, **fields) for at in range(count)]
    )


async def store(harness: EnricherHarness, records: Sequence[Record]) -> None:
    """Store records of contacts, and nothing else: no order waits for one."""
    await reference_store.store_references(harness.database, records, KEYS, "id of the topic")


def assert_same(costs: Sequence[Work]) -> None:
    """Assert that the second costs as much as the first, but for where MongoDB begins to look."""
    few, many = costs
    assert replace(many, keys=few.keys) == few
    assert abs(many.keys - few.keys) < 10
    assert few.examined < 60


async def work_of_an_event(stack: RunningStack, harness: EnricherHarness, order_id: str) -> Work:
    """Handle the registration of an order of the shared key; return what that cost."""
    order = WriterFixture(order_id).register(order_of_contact(**ORDER))
    await harness.store([order])
    with Profile(stack.mongo, harness.database.name) as profile:
        await harness.handle_events([read_back(order.event)])
    return profile.of()


@SIZES
async def test_an_order_of_a_shared_key_costs_the_same_however_many_share_it(
    stack: RunningStack, make_harness: MakeHarness, few: int, many: int
) -> None:
    """
    Ambiguous is known at the second contact that fits.
    """
    costs = []
    for count in (few, many):
        harness = await make_harness()
        await add_contacts(harness, count, contactType="Member")
        costs.append(await work_of_an_event(stack, harness, "o-1"))

        assert await harness.open_log_codes() == [
            ("ArticleMissing", "mug"),
            ("ContactAmbiguous", "Email"),
        ]

    assert_same(costs)


@SIZES
async def test_one_that_fits_is_found_among_any_number_that_do_not(
    stack: RunningStack, make_harness: MakeHarness, few: int, many: int
) -> None:
    """
    Of another contact type than the order's, or merged into the one that fits.
    """
    costs = []
    for count in (few, many):
        harness = await make_harness()
        await add_contacts(harness, count, contactType="Company")
        await add_contacts(harness, count, contactType="Member", mergedInto="Member-0")
        costs.append(await work_of_an_event(stack, harness, "o-1"))

        link = await harness.link("o-1")
        assert link is not None
        assert link["contactId"] == "Member-0"

    assert_same(costs)


async def test_one_that_a_third_is_merged_into_is_not_the_only_one(
    harness: EnricherHarness,
) -> None:
    """
    While the merge is stored, two contacts of a class may count as one, and hide a third.
    """
    await add_contacts(harness, 6, contactType="Member")
    stale = await harness.database[CONTACTS].find().sort("_id").to_list()
    by_index = harness.database[CONTACTS].find({"keys": "Email:none@none.example"})
    first, second = [it["contactId"] for it in await by_index.limit(2).to_list()]
    await store(harness, [contact_record(first, mergedInto=second, **SHARED)])
    for it in stale:
        await harness.database[CONTACTS].replace_one({"_id": it["_id"]}, it)

    await harness.handle(WriterFixture("o-1").register(order_of_contact(**ORDER)))

    assert ("ContactAmbiguous", "Email") in await harness.open_log_codes()


async def test_contacts_from_before_there_were_classes_are_read_all(
    harness: EnricherHarness,
) -> None:
    """
    They say the same, at the price of reading them.
    """
    await add_contacts(harness, 20, contactType="Company")
    await add_contacts(harness, 1, contactType="Member")
    await harness.database[CONTACTS].update_many({}, {"$unset": {"matchesAs": ""}})

    await harness.handle(WriterFixture("o-1").register(order_of_contact(**ORDER)))

    link = await harness.link("o-1")
    assert link is not None
    assert link["contactId"] == "Member-0"


@SIZES
async def test_contacts_that_are_erased_together_are_looked_up_at_the_same_price(
    stack: RunningStack, make_harness: MakeHarness, few: int, many: int
) -> None:
    """
    Until their orders are deleted, their tombstones tell of their keys.
    """
    costs = []
    for count in (few, many):
        harness = await make_harness()
        await add_contacts(harness, count)
        ids = [f"c-{at}" for at in range(count)]
        await store(harness, [reference_record(TOPIC.name, it, None) for it in ids])
        costs.append(await work_of_an_event(stack, harness, "o-1"))

    assert_same(costs)


def waiting_orders(count: int) -> list[WriterFixture]:
    return [WriterFixture(f"w-{at:05}") for at in range(count)]


@pytest.mark.parametrize("orders", [30, pytest.param(300, id="more than a portion")])
async def test_orders_of_an_ambiguous_key_are_looked_at_again_when_it_is_ambiguous_no_more(
    stack: RunningStack, make_harness: MakeHarness, orders: int
) -> None:
    """One contact more, or less of many, changes nothing; the last that is left gets them all."""
    harness = await make_harness()
    names = [f"c-{at}" for at in range(4)]
    members = [contact_record(it, contactType="Member", **SHARED) for it in names]
    await harness.add_references(*members)
    await harness.handle(*(it.register(order_of_contact(**ORDER)) for it in waiting_orders(orders)))
    healer = harness.healer()

    async def looked_at(*records: Record) -> int:
        await harness.record_references(records)
        with Profile(stack.mongo, harness.database.name) as profile:
            while await healer(NOW):
                pass
        return profile.of(ORDERS).returned

    another = contact_record("c-4", contactType="Member", **SHARED)
    first, second = await looked_at(another, *members), await looked_at(another)
    assert (first, second) == (orders, 0)
    less = [await looked_at(contact_record(it, contactType="Member")) for it in names[:3]]
    assert less == [0, 0, 0]
    assert await looked_at(contact_record("c-4", contactType="Member")) >= orders
    linked = await harness.database[LINKS].count_documents({"contactId": "c-3"})
    assert linked == orders


@SIZES
async def test_the_sweep_reads_the_queue_and_not_who_else_shares_a_key(
    stack: RunningStack, make_harness: MakeHarness, few: int, many: int
) -> None:
    """An order that looks inconsistent may be one that the queue has yet to come to."""
    works = []
    for count in (few, many):
        harness = await make_harness()
        await add_contacts(harness, count, contactType="Member")
        await harness.handle(WriterFixture("o-1").register(order_of_contact(**ORDER)))
        await harness.record_references([contact_record("Member-0", contactType="Member")])
        link = link_of(await harness.link("o-1") or {})
        with Profile(stack.mongo, harness.database.name) as profile:
            queued = await queued_orders(harness.database, [link], KEYS)
        assert queued == {"o-1"}, "its key was that contact's until now"
        works.append(profile.of())

    assert_same(works)
