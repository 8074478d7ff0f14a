"""The healing queue: shared by enrichers, resumed after crashes, overtaken by no event."""

from __future__ import annotations

from datetime import timedelta

import pytest

from enricher.adapters.healing_queue import ITEMS, LEASE
from enricher.app.periodic_sweep import GRACE, CollectionScan
from enricher.app.reconciler import PORTION
from enricher.domain.healing import Arrival, Stage
from order_contracts.topics import ACTIONS, ARTICLES, COMMANDS, CONTACTS
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import (
    ACTION_DELIVERIES,
    ERASURES,
    HEALING,
    LINKS,
    WATERMARKS,
)
from support.builders.writer_fixtures import AT, WriterFixture, read_back, reference_record
from support.harness.enricher_harness import (
    CONFIRM,
    NOW,
    EnricherHarness,
    article_record,
    contact_record,
    order_of_contact,
    store_record,
)

SOON = AT + timedelta(seconds=30)
MUG = Arrival(ARTICLES.name, "mug")
MANY = 2 * PORTION + 10


def tombstone(identity: str = "c-1") -> Record:
    return reference_record(CONTACTS.name, identity, None, at=SOON)


async def test_an_item_is_worked_on_by_one_enricher_while_its_lease_lasts(
    harness: EnricherHarness,
) -> None:
    one, other = harness.queue(owner="one"), harness.queue(owner="other")
    await one.add([MUG], NOW)

    [claimed] = await one.claim(NOW)
    assert await other.claim(NOW + LEASE - timedelta(milliseconds=1)) == []
    [again] = await one.claim(NOW + timedelta(seconds=1))
    [taken] = await other.claim(NOW + timedelta(seconds=1) + LEASE)
    await one.finish([again.begun(None)], NOW)

    assert claimed == again == taken
    assert await harness.database[HEALING].count_documents({}) == 1, "it is the other's by now"


async def test_an_item_is_removed_at_the_generation_that_was_worked_on(
    harness: EnricherHarness,
) -> None:
    """What came meanwhile is worked on from its begin."""
    queue = harness.queue()
    await queue.add([MUG], NOW)
    [begun] = [it.begun(None) for it in await queue.claim(NOW)]
    await queue.add([MUG], NOW)

    await queue.advance([begun.at(Stage.CONTACT)], NOW)
    await queue.finish([begun.at(Stage.CONTACT)], NOW)

    [left] = await queue.claim(NOW)
    assert (left.generation, left.walk) == (2, None)
    await queue.finish([left.begun(None)], NOW)
    assert await harness.database[HEALING].count_documents({}) == 0


async def test_who_worked_on_an_item_removes_no_later_one_of_its_document(
    harness: EnricherHarness,
) -> None:
    """It slept until another one was done, and its generation is reached again."""
    slow, quick = harness.queue(owner="slow"), harness.queue(owner="quick")
    await slow.add([MUG], NOW)
    [sleeping] = await slow.claim(NOW)
    [done] = await quick.claim(NOW + LEASE)
    await quick.finish([done.begun(None)], NOW)
    await slow.add([MUG], NOW + LEASE)
    await slow.claim(NOW + LEASE)

    await slow.finish([sleeping.begun(None)], NOW)

    assert await harness.database[HEALING].count_documents({"generation": 1}) == 1


async def test_it_is_the_turn_of_others_after_a_portion(harness: EnricherHarness) -> None:
    """A store that thousands of orders wait for keeps no contact waiting."""
    queue = harness.queue()
    await queue.add([MUG], NOW)
    [large] = [it.begun(None) for it in await queue.claim(NOW)]
    await queue.add([Arrival(ARTICLES.name, "cup")], NOW + timedelta(seconds=1))

    await queue.advance([large.at(Stage.KEYS)], NOW + timedelta(seconds=2))

    assert [it.document_id for it in await queue.claim(NOW)] == ["cup", "mug"]
    assert await queue.backlog() == (2, NOW)


async def test_many_items_that_heal_little_are_done_together(harness: EnricherHarness) -> None:
    await harness.handle(WriterFixture("o-1").register(order_of_contact()))
    await harness.record_references(
        [article_record(f"sku-{number}") for number in range(ITEMS - 2)]
    )
    await harness.record_references([article_record()])
    await harness.record_references([contact_record()])

    assert await harness.heal() == 1

    assert await harness.open_log_codes() == []
    assert await harness.database[HEALING].count_documents({}) == 0


async def test_one_that_heals_much_is_told_from_the_others(harness: EnricherHarness) -> None:
    body = order_of_contact(externalStoreId="shop")
    orders = [WriterFixture(f"o-{number:03}").register(body) for number in range(MANY)]
    await harness.handle(*orders)
    articles = [article_record(f"sku-{number}") for number in range(5)]
    await harness.record_references(articles)
    await harness.record_references([store_record("shop")])
    await harness.record_references([article_record("last")])

    await harness.heal()

    assert await harness.database[LINKS].count_documents({"waitsFor": "Store:shop"}) == 0
    assert await harness.database[HEALING].count_documents({}) == 0


async def test_no_later_action_overtakes_one_that_is_held(harness: EnricherHarness) -> None:
    """Its order's turn in the queue had not come when the event of the later one did."""
    writer = WriterFixture("o-1")
    order = writer.register(order_of_contact(), CONFIRM)
    await harness.handle(order)
    assert await harness.stages(order) == ("contactMissing", "held")
    await harness.record_references([article_record()])
    await harness.record_references([contact_record()])
    asked = writer.trigger_action({"action": "ConfirmShipment"})
    await harness.store([asked])

    await harness.event_handler_alone()([read_back(asked.event)], NOW)

    assert await harness.database[HEALING].count_documents({}) == 2, "its turn is still to come"
    fired = [it["jobId"] for it in harness.publisher.on(ACTIONS.name)]
    assert fired == [order.job_id, asked.job_id]
    assert await harness.stages(asked) == ("done", "fired")


@pytest.mark.parametrize("gone", [False, True], ids=["merge", "erasure"])
async def test_what_is_of_one_contact_is_moved_or_erased_in_portions(
    harness: EnricherHarness, *, gone: bool
) -> None:
    """Whatever number of workers dies between them."""
    await harness.add_references(contact_record("c-1"), contact_record("kept"), article_record())
    orders = [
        WriterFixture(f"o-{number:03}").register(order_of_contact()) for number in range(MANY)
    ]
    await harness.handle(*orders)
    times = {"registeredAt": AT, "acceptedAt": AT, "body": "x", "state": "delivered"}
    sent = [{"_id": f"d-{number}", "contactId": "c-1", **times} for number in range(MANY)]
    await harness.database[ACTION_DELIVERIES].insert_many(sent)

    merged = contact_record("c-1", mergedInto="kept")
    await harness.record_references([tombstone() if gone else merged])
    left = []
    while await harness.healer()(NOW):
        left.append(await harness.database[LINKS].count_documents({"contactId": "c-1"}))

    assert left == [MANY, MANY - PORTION, MANY - 2 * PORTION, 0]
    assert await harness.database[ACTION_DELIVERIES].count_documents({"contactId": "c-1"}) == 0
    deleted = [it for it in harness.publisher.records if it.topic == COMMANDS.name]
    assert len(deleted) == (MANY if gone else 0)
    assert await harness.database[LINKS].count_documents({"contactId": "kept"}) == MANY - len(
        deleted
    )


async def test_an_erasure_is_noted_before_its_record_is_acknowledged(
    harness: EnricherHarness,
) -> None:
    """What is read afterwards meets it, though the orders' turn is still to come."""
    await harness.add_references(contact_record(email="ann@x.se"), article_record())
    order = WriterFixture("o-1").register(order_of_contact("ann@x.se", "Email"), CONFIRM)
    await harness.store([order])

    await harness.record_references([tombstone()])
    await harness.event_handler_alone()([read_back(order.event)], NOW)

    assert await harness.database[ERASURES].count_documents({}) == 2
    assert harness.publisher.on(ACTIONS.name) == []
    assert [it.key for it in harness.publisher.records if it.topic == COMMANDS.name] == [b"o-1"]


async def test_a_contact_that_comes_back_before_its_turn_is_erased_all_the_same(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record(email="ann@x.se"), article_record())
    linked = WriterFixture("o-1").register(order_of_contact())
    await harness.handle(linked)

    await harness.record_references([tombstone()])
    again = reference_record(CONTACTS.name, "c-1", contact_record().value, at=NOW)
    await harness.record_references([again])
    await harness.heal()

    assert [it.key for it in harness.publisher.records if it.topic == COMMANDS.name] == [b"o-1"]
    assert await harness.database["contacts"].count_documents({"contactId": "c-1"}) == 1
    assert (
        await harness.database["contacts"].count_documents({"formerKeys": {"$exists": True}}) == 0
    )


async def test_orders_that_are_queued_are_no_repairs_of_the_sweep(
    harness: EnricherHarness,
) -> None:
    """By whichever key they wait: of a contact, an article or a store."""
    for order_id, body in (
        ("o-1", order_of_contact("ann@x.se", "Email")),
        ("o-2", order_of_contact("c-9")),
        ("o-3", order_of_contact(externalStoreId="shop")),
    ):
        await harness.handle(WriterFixture(order_id).register(body))
    before = await harness.dump()
    sweep = harness.sweeper()
    for record in (contact_record(email="ann@x.se"), contact_record("c-9"), store_record("shop")):
        await harness.record_references([record])

    await sweep(NOW + timedelta(hours=1))
    await sweep(NOW + timedelta(hours=1) + GRACE)

    assert (await harness.dump())[LINKS] == before[LINKS], "each waits for its turn"
    await harness.heal()
    assert (await harness.dump())[LINKS] != before[LINKS]


async def test_a_round_of_the_sweep_is_shared_and_outlives_a_restart(
    harness: EnricherHarness,
) -> None:
    async def read_page(cursor: str, limit: int) -> list[tuple[str, str]]:
        begin = int(cursor or 0)
        return [(str(it), f"o-{it}") for it in range(begin + 1, min(begin + limit, 2_500) + 1)]

    def scan() -> CollectionScan:
        return CollectionScan(harness.database[WATERMARKS], "orders", read_page)

    pages = [await it.next_page() for it in (scan(), scan(), scan(), scan())]

    assert [len(it) for it in pages] == [1_000, 1_000, 500, 1_000]
    assert [it[0] for it in pages] == ["o-1", "o-1001", "o-2001", "o-1"]


async def test_of_two_enrichers_that_read_the_same_page_one_has_it(
    harness: EnricherHarness,
) -> None:
    """The other one has the next."""
    taken = list[list[str]]()

    async def page_after(cursor: str, limit: int) -> list[tuple[str, str]]:
        begin = int(cursor or 0)
        return [(str(it), f"o-{it}") for it in range(begin + 1, begin + limit + 1)]

    async def overtaken(cursor: str, limit: int) -> list[tuple[str, str]]:
        if not taken:
            taken.append([])
            other = CollectionScan(harness.database[WATERMARKS], "orders", page_after)
            taken[0].extend(await other.next_page())
        return await page_after(cursor, limit)

    own = await CollectionScan(harness.database[WATERMARKS], "orders", overtaken).next_page()

    assert (taken[0][0], own[0]) == ("o-1", "o-1001")


async def test_what_an_order_waits_for_is_written_where_it_changes(
    harness: EnricherHarness,
) -> None:
    """A replacement that lacks the same thousand articles writes no entry of their index again."""
    lines = [
        {**order_of_contact()["lineItems"]["items"][0], "sku": f"sku-{number}"}
        for number in range(1_000)
    ]
    body = {**order_of_contact(), "lineItems": {"items": lines}}
    writer = WriterFixture("o-1")
    await harness.handle(writer.register(body))
    of_links = {"ns": f"{harness.database.name}.{LINKS}", "op": "update"}
    await harness.database.command("profile", 1, filter=of_links)

    await harness.handle(writer.replace(body))

    await harness.database.command("profile", 0)
    updates = await harness.database["system.profile"].find().to_list()
    assert [it["nModified"] for it in updates] == [1]
    assert sum(it.get("keysInserted", 0) + it.get("keysDeleted", 0) for it in updates) <= 2
