"""A contact that is deleted: its orders, what waited, what was sent, and what was under way."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from bson import encode

from enricher.adapters import reference_store
from enricher.adapters.held_actions import held_of
from enricher.adapters.reference_store import DeletedContact
from order_contracts.topics import ACTIONS, COMMANDS, CONTACTS
from order_operations.pii_scan import pattern
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import ACTION_DELIVERIES, ERASURES, HELD, JOBS, LINKS
from order_runtime.mongo.client import CONTACTS as KNOWN
from support.builders.writer_fixtures import AT, WriterFixture, reference, taken
from support.stack.enricher_harness import (
    CONFIRM,
    KEYS,
    NOW,
    TOPIC_IDS,
    EnricherHarness,
    MakeHarness,
    WorkerDied,
    article,
    body,
    contact,
)

LATER = AT + timedelta(minutes=2)
SOON = AT + timedelta(seconds=30)
"""When the tombstone is published, in what follows: after the orders."""
SECRETIVE = {"action": "Custom", "data": {"mail": "ann@x.se"}, "language": "sv"}


def tombstone(identity: str = "c-1", at: datetime = SOON) -> Record:
    return reference(CONTACTS.name, identity, None, at=at)


def again() -> Record:
    """Return the contact that comes back."""
    return reference(CONTACTS.name, "c-1", contact().value, at=LATER)


def later(writer: WriterFixture) -> WriterFixture:
    """Return *writer*, whose commands are accepted after the tombstone from now on."""
    writer.at = LATER
    return writer


def deletions(place: EnricherHarness) -> list[tuple[str, str]]:
    """Return what was asked to be deleted, each as orderId and registration."""
    asked = [it for it in place.topics.records if it.topic == COMMANDS.name]
    return [
        ((it.key or b"").decode(), (dict(it.headers)["ce_registration"] or b"").decode())
        for it in asked
    ]


async def holding(place: EnricherHarness, *identifiers: str) -> list[str]:
    """Return the collections of the enricher's that hold one of these."""
    sought = pattern(identifiers)
    names = (KNOWN, LINKS, HELD, ERASURES, JOBS, ACTION_DELIVERIES, "integration_log")
    return [
        name
        for name in names
        for document in await place.database[name].find().to_list()
        if sought.search(encode(document, codec_options=place.database.codec_options))
    ]


async def test_its_orders_are_deleted_linked_ones_and_those_that_wait_for_a_key(
    place: EnricherHarness,
) -> None:
    await place.knows(contact(email="ann@x.se"))
    linked = WriterFixture("o-1").register(body())
    await place.handle(linked)
    await place.knows(contact("c-2", email="bob@x.se"))
    other = WriterFixture("o-2").register(body("bob@x.se", "Email"))
    # Of another type: it waits, although a contact has its key.
    waiting = WriterFixture("o-3").register(
        {**body(), "contact": {**body("ann@x.se", "Email")["contact"], "contactType": "B2B"}}
    )
    await place.knows(contact(email="ann@x.se", contactType="Member"))
    await place.handle(other)
    await place.handle(waiting)

    await place.knows(tombstone())

    assert sorted(deletions(place)) == [("o-1", linked.job_id), ("o-3", waiting.job_id)]
    assert await place.link("o-1") is None
    assert await place.link("o-2") is not None


async def test_nothing_names_it_afterwards(place: EnricherHarness) -> None:
    await place.knows(contact(email="ann@x.se"), article())
    linked, waits = WriterFixture("o-1"), WriterFixture("o-2")
    await place.handle(linked.register(body("ann@x.se", "Email"), SECRETIVE))
    await place.handle(waits.register(body("old@x.se", "Email"), SECRETIVE))
    assert await holding(place, "ann@x.se") != []
    await place.knows(contact(email="old@x.se", contactType="Nobody"))

    await place.knows(tombstone())
    await place.handle(later(linked).delete())
    await place.handle(later(waits).delete())

    assert await holding(place, "c-1", "ann@x.se", "old@x.se") == []
    assert await place.database[JOBS].count_documents({"action.action": "Custom"}) == 2
    [held] = await place.database[HELD].find().to_list()
    assert held_of(held).action.data is None


async def test_a_command_in_flight_is_met_when_its_event_comes(place: EnricherHarness) -> None:
    await place.knows(contact(email="ann@x.se"), article(), tombstone())
    order = WriterFixture("o-1").register(body("ann@x.se", "Email"), CONFIRM)

    await place.handle(order)

    assert deletions(place) == [("o-1", order.job_id)]
    assert await place.link("o-1") is None
    assert await place.stages(order) == ("superseded", "dropped")
    assert await place.database[HELD].count_documents({}) == 0


async def test_what_is_accepted_after_the_erasure_is_a_new_relation(place: EnricherHarness) -> None:
    await place.knows(contact(), tombstone())
    order = later(WriterFixture("o-1")).register(body(), CONFIRM)

    await place.handle(order)
    assert await place.stages(order) == ("contactMissing", "held")
    await place.knows(article(), again())

    assert await place.stages(order) == ("done", "fired")
    assert deletions(place) == []


async def test_a_contact_that_came_again_keeps_its_new_orders_through_a_replay(
    place: EnricherHarness,
) -> None:
    records = [contact(), tombstone(), again()]
    await place.knows(*records)
    order = later(WriterFixture("o-1")).register(body())
    await place.handle(order)

    await place.knows(*records)
    for record in [taken(order.event)]:
        await place.enrich([record])

    assert deletions(place) == []
    link = await place.link("o-1")
    assert link is not None
    assert link["contactId"] == "c-1"


async def test_an_order_that_now_means_another_contact_is_that_ones(place: EnricherHarness) -> None:
    """Two contacts shared a key; the order was nobody's."""
    await place.knows(contact("c-1", email="ann@x.se"), contact("c-2", email="ann@x.se"))
    await place.handle(WriterFixture("o-1").register(body("ann@x.se", "Email")))

    await place.knows(tombstone("c-1"))

    assert deletions(place) == []
    link = await place.link("o-1")
    assert link is not None
    assert link["contactId"] == "c-2"


async def test_an_order_that_was_replaced_for_a_living_contact_by_now_is_not_deleted(
    place: EnricherHarness,
) -> None:
    """
    Its first event is handled late. The key that it has now was the erased contact's, too, and
    that event doesn't name it.
    """
    await place.knows(contact("c-1", email="ann@x.se"), contact("c-2", email="ann@x.se"))
    await place.knows(contact("c-3"))
    writer = WriterFixture("o-1")
    first, moved = writer.register(body("c-3")), writer.replace(body("ann@x.se", "Email"))
    await place.store([first, moved])
    await place.knows(tombstone("c-1"))

    await place.enrich([taken(first.event)])
    await place.enrich([taken(moved.event)])

    assert deletions(place) == []
    link = await place.link("o-1")
    assert link is not None
    assert link["contactId"] == "c-2"


async def test_an_order_that_waits_although_it_means_a_living_contact_is_not_deleted(
    place: EnricherHarness,
) -> None:
    """Its link was written by a worker that had read both contacts, after the first look."""
    await place.knows(contact("c-1", email="ann@x.se"), contact("c-2", email="ann@x.se"))
    await place.handle(WriterFixture("o-1").register(body("ann@x.se", "Email")))
    await place.keeps(tombstone("c-1"))
    gone = DeletedContact("c-1", frozenset({"ContactId:c-1", "Email:ann@x.se"}), SOON)

    await place.erase().all_of([gone], NOW)

    assert deletions(place) == []


async def test_an_order_just_before_the_tombstone_is_covered_though_clocks_differ(
    place: EnricherHarness,
) -> None:
    """The database's is behind that of the broker: it sees the tombstone before it was there."""
    await place.knows(contact())
    ahead = datetime.now(UTC) + timedelta(days=1)
    writer = WriterFixture("o-1")
    writer.at = ahead
    order = writer.register(body())
    await place.handle(order)

    await place.knows(tombstone(at=ahead + timedelta(seconds=1)))

    assert deletions(place) == [("o-1", order.job_id)]


async def test_who_dies_before_noting_an_erasure_and_reads_all_again_still_knows_its_keys(
    place: EnricherHarness,
) -> None:
    """The contact's older record comes first then, and finds the tombstone's document."""
    old, gone = contact(email="ann@x.se"), tombstone()
    await place.knows(old)
    order = WriterFixture("o-1").register(body("ann@x.se", "Email"))
    await place.store([order])
    with suppress(WorkerDied):
        await place.dying([gone], 1)

    await place.knows(old, gone)
    await place.enrich([taken(order.event)])

    assert deletions(place) == [("o-1", order.job_id)]


async def test_keys_of_a_contact_that_changed_since_are_kept_for_whoever_has_yet_to_look(
    place: EnricherHarness,
) -> None:
    await place.keeps(contact(email="ann@x.se"))
    kept = await reference_store.store_references(
        place.database, [contact(email="new@x.se")], KEYS, TOPIC_IDS[CONTACTS.name]
    )
    await place.keeps(tombstone())

    await reference_store.forget_former(place.database, kept.changed)

    [gone] = await place.database[KNOWN].find().to_list()
    assert {"Email:ann@x.se", "Email:new@x.se"} <= set(gone["formerKeys"])


async def test_all_topics_read_again_bring_nothing_back(place: EnricherHarness) -> None:
    writer = WriterFixture("o-1")
    records = [contact(email="ann@x.se"), article(), tombstone()]
    await place.knows(*records[:2])
    orders = [writer.register(body("ann@x.se", "Email"), SECRETIVE)]
    await place.handle(*orders)
    await place.knows(records[2])
    orders.append(later(writer).delete())
    await place.handle(orders[1])
    fired = len(place.topics.on(ACTIONS.name))

    for record in records:
        await place.knows(record)
    await place.enrich([taken(it.event) for it in orders])

    assert await holding(place, "c-1", "ann@x.se") == []
    assert len(place.topics.on(ACTIONS.name)) == fired


async def test_an_older_order_is_deleted_although_it_is_replaced_for_the_same_contact_afterwards(
    place: EnricherHarness,
) -> None:
    await place.knows(contact("c-1"))
    writer = WriterFixture("o-1")
    first = writer.register(body("c-1"))
    await place.handle(first)
    moved = later(writer).replace(body("c-1"))
    await place.store([moved])
    await place.knows(tombstone("c-1"))
    await place.database[ERASURES].update_many({}, {"$set": {"seen": NOW}})

    await place.enrich([taken(moved.event)])

    assert deletions(place) == [("o-1", first.job_id)]


async def test_a_replacement_for_an_erased_contact_stays_through_a_replay(
    place: EnricherHarness,
) -> None:
    """It was accepted when the erasure had been seen: a new relation of an older order."""
    await place.knows(contact("c-1"), contact("c-2"))
    writer = WriterFixture("o-1")
    first = writer.register(body("c-2"))
    await place.handle(first)
    await place.knows(tombstone("c-1"))
    await place.database[ERASURES].update_many({}, {"$set": {"seen": NOW}})
    moved = later(writer).replace(body("c-1"))
    await place.handle(moved)

    await place.knows(tombstone("c-1"))
    await place.enrich([taken(writer.again(it)) for it in (first, moved)])

    assert deletions(place) == []
    assert await place.link("o-1") is not None


async def test_an_order_that_was_replaced_for_another_contact_stays(place: EnricherHarness) -> None:
    await place.knows(contact("c-1"), contact("c-2"))
    writer = WriterFixture("o-1")
    first, second = writer.register(body("c-1"), SECRETIVE), writer.replace(body("c-2"))
    await place.handle(first)
    await place.handle(second)

    await place.knows(tombstone("c-1"))
    await place.enrich([taken(it.event) for it in (first, second)])

    assert deletions(place) == []
    assert await holding(place, "ann@x.se") == []


async def test_deliveries_are_redacted_and_what_was_not_sent_is_dropped(
    place: EnricherHarness,
) -> None:
    await place.knows(contact())
    times = {"registeredAt": AT, "acceptedAt": AT}
    sent = {"contactId": "c-1", **times, "body": "c-1", "record": {}, "attempts": []}
    new = {**sent, "registeredAt": LATER}
    await place.database[ACTION_DELIVERIES].insert_many(
        [
            {"_id": "pending", "state": "pending", **sent},
            {"_id": "done", "state": "delivered", **sent},
            {"_id": "new", "state": "pending", **new},
        ]
    )

    await place.knows(tombstone())

    kept = {it["_id"]: it async for it in place.database[ACTION_DELIVERIES].find()}
    assert {name: it["state"] for name, it in kept.items()} == {
        "pending": "dropped",
        "done": "delivered",
        "new": "pending",
    }
    assert kept["pending"]["body"] == kept["done"]["body"] == ""
    assert "contactId" not in kept["done"]


async def test_a_batch_that_deletes_a_contact_and_brings_it_again_erases_what_was(
    place: EnricherHarness,
) -> None:
    """An enricher that was away reads both at once."""
    await place.knows(contact())
    order = WriterFixture("o-1").register(body())
    await place.handle(order)

    await place.arrive([tombstone(), again()])

    assert deletions(place) == [("o-1", order.job_id)]
    assert await place.database[KNOWN].count_documents({"contactId": "c-1"}) == 1


@pytest.mark.parametrize("writes", range(8))
async def test_a_crash_between_any_two_writes_erases_all_the_same(
    make: MakeHarness, writes: int
) -> None:
    place = await make()
    await place.knows(contact(email="ann@x.se"))
    linked, waits = (WriterFixture(it).register(body()) for it in ("o-1", "o-2"))
    await place.handle(linked, waits)
    await place.store([orders := WriterFixture("o-3").register(body("ann@x.se", "Email"))])
    gone = tombstone()

    with suppress(WorkerDied):
        await place.dying([gone], writes)
    await place.knows(gone)
    await place.enrich([taken(orders.event)])

    asked = {("o-1", linked.job_id), ("o-2", waits.job_id), ("o-3", orders.job_id)}
    assert set(deletions(place)) == asked
    assert await holding(place, "c-1", "ann@x.se") == []
