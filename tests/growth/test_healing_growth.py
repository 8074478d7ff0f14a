"""However many orders wait for one store, its arrival and each portion of healing cost the same."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from enricher.app.reconciler import PORTION
from order_contracts.topics import STORES
from order_runtime.mongo.client import HEALING, LINKS, ORDERS
from support.builders.writer_fixtures import WriterFixture, read_back, reference_record
from support.growth.profile import Profile, Work
from support.harness.enricher_harness import (
    CONFIRM,
    NOW,
    EnricherHarness,
    MakeHarness,
    article_record,
    contact_record,
    order_of_contact,
    store_record,
)
from support.stack.running_stack import RunningStack

SHORT = (30, 300)
LONG = (300, 3_000)


async def with_waiting(make_harness: MakeHarness, orders: int) -> EnricherHarness:
    """Return a harness with so many orders that wait for the store `shop` alone."""
    harness = await make_harness()
    await harness.add_references(contact_record(), article_record())
    body = order_of_contact(externalStoreId="shop")
    written = [WriterFixture(f"o-{number:05}").register(body) for number in range(orders)]
    for some in (written[at : at + 500] for at in range(0, orders, 500)):
        await harness.handle(*some)
    assert await harness.database[LINKS].count_documents({"waitsFor": "Store:shop"}) == orders
    return harness


async def arrival(stack: RunningStack, harness: EnricherHarness) -> Profile:
    """Return what MongoDB does until the store's record is acknowledged."""
    with Profile(stack.mongo, harness.database.name) as profile:
        await harness.record_references([store_record("shop")])
    return profile


async def portions(stack: RunningStack, harness: EnricherHarness) -> list[Profile]:
    """Heal everything; return what MongoDB does for each portion."""
    done: list[Profile] = []
    healer, worked = harness.healer(), True
    while worked:
        with Profile(stack.mongo, harness.database.name) as profile:
            worked = await healer(NOW)
        done.append(profile)
    return done


def most(done: Sequence[Profile], *collections: str) -> Work:
    """Return the most of each that a portion cost."""
    costs = [it.of(*collections) for it in done]
    names = ("statements", "keys", "examined", "returned", "written")
    return Work(**{name: max(getattr(it, name) for it in costs) for name in names})


async def check_growth(
    stack: RunningStack, make_harness: MakeHarness, sizes: tuple[int, int]
) -> None:
    arrivals: list[Work] = []
    largest: list[Work] = []
    for size in sizes:
        harness = await with_waiting(make_harness, size)
        arrivals.append((await arrival(stack, harness)).of())
        assert await harness.database[LINKS].count_documents({"waitsFor": "Store:shop"}) == size
        done = await portions(stack, harness)
        assert len(done) == size // PORTION + 2, "one more finds that there is no more"
        assert await harness.database[LINKS].count_documents({"waitsFor": "Store:shop"}) == 0
        assert await harness.database[HEALING].count_documents({}) == 0
        largest.append(most(done))
        assert most(done, LINKS, ORDERS).examined <= 4 * PORTION
        assert most(done, LINKS).written <= PORTION
    assert arrivals[0] == arrivals[1], "the work before the acknowledgement"
    assert arrivals[0].written == 2, "the store and the item of the queue"
    an_order = PORTION / min(sizes[0], PORTION)
    for name in ("statements", "keys", "examined", "returned", "written"):
        few, many = (getattr(it, name) for it in largest)
        assert many <= few * an_order, name


async def test_an_arrival_and_each_portion_cost_the_same_however_many_orders_wait(
    stack: RunningStack, make_harness: MakeHarness
) -> None:
    await check_growth(stack, make_harness, SHORT)


@pytest.mark.faults
@pytest.mark.timeout(1_200)
async def test_they_still_do_with_a_hundred_times_as_many(
    stack: RunningStack, make_harness: MakeHarness
) -> None:
    await check_growth(stack, make_harness, LONG)


async def test_orders_that_go_on_waiting_are_looked_at_once(
    stack: RunningStack, make_harness: MakeHarness
) -> None:
    """They don't leave the index by which they are found: the walk passes them by its cursor."""
    harness = await with_waiting(make_harness, 2 * PORTION + 50)
    await harness.database["stores"].delete_many({})
    await harness.record_references([reference_record(STORES.name, "shop", None)])

    done = await portions(stack, harness)

    assert len(done) == 4
    looked = [it.of(ORDERS).returned for it in done]
    assert looked == [PORTION, PORTION, 50, 0]
    assert await harness.database[LINKS].count_documents({"waitsFor": "Store:shop"}) == 250


async def test_new_events_are_handled_between_portions(make_harness: MakeHarness) -> None:
    """And are complete then, while orders that came before wait for their turn."""
    harness = await with_waiting(make_harness, 3 * PORTION)
    healer = harness.healer()
    await harness.record_references([store_record("shop")])
    assert await healer(NOW)

    new = WriterFixture("new").register(order_of_contact(externalStoreId="shop"), CONFIRM)
    await harness.store([new])
    await harness.event_handler_alone()([read_back(new.event)], NOW)

    assert await harness.stages(new) == ("done", "fired")
    link = await harness.link("new")
    assert link is not None
    assert link["missing"] == []
    assert await harness.database[LINKS].count_documents({"waitsFor": "Store:shop"}) == 2 * PORTION


async def test_after_a_crash_between_portions_the_next_worker_goes_on_with_what_is_left(
    make_harness: MakeHarness,
) -> None:
    harness = await with_waiting(make_harness, 3 * PORTION)
    await harness.record_references([store_record("shop")])
    assert await harness.healer()(NOW)
    left = await harness.database[LINKS].count_documents({"waitsFor": "Store:shop"})

    assert left == 2 * PORTION
    assert await harness.heal() == 3
    assert await harness.database[LINKS].count_documents({"waitsFor": "Store:shop"}) == 0
