"""A contact that is deleted: its orders, what waited, what was sent, and what was under way."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bson import encode

from enricher.adapters import reference_store
from enricher.adapters.held_action_store import held_action_of
from enricher.domain.erasure import DeletedContact
from order_contracts.topics import ACTIONS, COMMANDS, CONTACTS
from order_operations.privacy.pii_scan import pattern
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import (
    ACTION_DELIVERIES,
    AGREEMENTS,
    ENRICHMENTS,
    ERASURES,
    HELD,
    JOBS,
    LINKS,
)
from order_runtime.mongo.client import CONTACTS as KNOWN
from support.builders.bodies import Json, contact_body, order_body, unique
from support.builders.writer_fixtures import (
    AT,
    WriterFixture,
    WrittenCommand,
    read_back,
    reference_record,
)
from support.fakes.intercepted_database import InterceptedDatabase, WorkerDied
from support.harness.enricher_harness import (
    CONFIRM,
    KEYS,
    NOW,
    TOPIC_IDS,
    EnricherHarness,
    MakeHarness,
    article_record,
    contact_record,
    order_of_contact,
)
from support.stack.api_client import ApiClient
from support.stack.running_stack import RunningStack

LATER = AT + timedelta(minutes=2)
SOON = AT + timedelta(seconds=30)
"""When the tombstone is published, in what follows: after the orders."""
SECRETIVE = {"action": "Custom", "data": {"mail": "ann@x.se"}, "language": "sv"}


def tombstone(identity: str = "c-1", at: datetime = SOON) -> Record:
    return reference_record(CONTACTS.name, identity, None, at=at)


def again() -> Record:
    """Return the contact that comes back."""
    return reference_record(CONTACTS.name, "c-1", contact_record().value, at=LATER)


def later(writer: WriterFixture) -> WriterFixture:
    """Return *writer*, whose commands are accepted after the tombstone from now on."""
    writer.at = LATER
    return writer


def deletions(harness: EnricherHarness) -> list[tuple[str, str]]:
    """Return what was asked to be deleted, each as orderId and registration."""
    asked = [it for it in harness.publisher.records if it.topic == COMMANDS.name]
    return [
        ((it.key or b"").decode(), (dict(it.headers)["ce_registration"] or b"").decode())
        for it in asked
    ]


async def holding(harness: EnricherHarness, *identifiers: str) -> list[str]:
    """Return the collections of the enricher's that hold one of these."""
    sought = pattern(identifiers)
    of_jobs = (JOBS, AGREEMENTS, ENRICHMENTS, ACTION_DELIVERIES)
    names = (KNOWN, LINKS, HELD, ERASURES, *of_jobs, "integration_log")
    return [
        name
        for name in names
        for document in await harness.database[name].find().to_list()
        if sought.search(encode(document, codec_options=harness.database.codec_options))
    ]


async def test_its_orders_are_deleted_linked_ones_and_those_that_wait_for_a_key(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record(email="ann@x.se"))
    linked = WriterFixture("o-1").register(order_of_contact())
    await harness.handle(linked)
    await harness.add_references(contact_record("c-2", email="bob@x.se"))
    other = WriterFixture("o-2").register(order_of_contact("bob@x.se", "Email"))
    # Of another type: it waits, although a contact has its key.
    waiting = WriterFixture("o-3").register(
        {
            **order_of_contact(),
            "contact": {**order_of_contact("ann@x.se", "Email")["contact"], "contactType": "B2B"},
        }
    )
    await harness.add_references(contact_record(email="ann@x.se", contactType="Member"))
    await harness.handle(other)
    await harness.handle(waiting)

    await harness.add_references(tombstone())

    assert sorted(deletions(harness)) == [("o-1", linked.job_id), ("o-3", waiting.job_id)]
    assert await harness.link("o-1") is None
    assert await harness.link("o-2") is not None


MARKED = "\ufeffc-1"
"""The id of the first row of a file with a byte order mark."""


async def stored_by_an_earlier_release(harness: EnricherHarness) -> None:
    """Store the contact MARKED as a release did that kept invisible marks at the ends of an id."""
    await harness.add_references(contact_record(MARKED, email="ann@x.se"))
    contact = await harness.database[KNOWN].find_one_and_delete({"contactId": MARKED})
    assert contact is not None
    key = f"ContactId:{MARKED}"
    earlier = contact | {"_id": KEYS.hashed(key), "keys": [key, "Email:ann@x.se"]}
    await harness.database[KNOWN].replace_one({"_id": earlier["_id"]}, earlier, upsert=True)


async def test_a_document_that_an_earlier_release_stored_under_another_id_is_erased_too(
    harness: EnricherHarness,
) -> None:
    await stored_by_an_earlier_release(harness)
    linked = WriterFixture("o-1").register(order_of_contact("ann@x.se", "Email"))
    await harness.handle(linked)
    assert await harness.link("o-1") is not None

    await harness.add_references(tombstone(MARKED))

    assert deletions(harness) == [("o-1", linked.job_id)]
    assert await holding(harness, "ann@x.se", "c-1") == []
    late = WriterFixture("o-2").register(order_of_contact("ann@x.se", "Email"))
    await harness.handle(late)
    assert ("o-2", late.job_id) in deletions(harness)


async def test_a_contact_of_an_earlier_release_does_not_match_beside_itself(
    harness: EnricherHarness,
) -> None:
    await stored_by_an_earlier_release(harness)

    await harness.add_references(
        reference_record(
            CONTACTS.name, MARKED, contact_record(MARKED, email="ann@x.se").value, at=SOON
        )
    )

    order = WriterFixture("o-1").register(order_of_contact("ann@x.se", "Email"))
    await harness.handle(order)
    link = await harness.link("o-1")
    assert link is not None
    assert link["contactId"] == MARKED
    assert deletions(harness) == []


async def test_nothing_names_it_afterwards(harness: EnricherHarness) -> None:
    await harness.add_references(contact_record(email="ann@x.se"), article_record())
    linked, waits = WriterFixture("o-1"), WriterFixture("o-2")
    await harness.handle(linked.register(order_of_contact("ann@x.se", "Email"), SECRETIVE))
    await harness.handle(waits.register(order_of_contact("old@x.se", "Email"), SECRETIVE))
    assert await holding(harness, "ann@x.se") != []
    await harness.add_references(contact_record(email="old@x.se", contactType="Nobody"))

    await harness.add_references(tombstone())
    await harness.handle(later(linked).delete())
    await harness.handle(later(waits).delete())

    assert await holding(harness, "c-1", "ann@x.se", "old@x.se") == []
    assert await harness.database[JOBS].count_documents({"action.action": "Custom"}) == 2
    [held] = await harness.database[HELD].find().to_list()
    assert held_action_of(held).action.data is None


async def test_a_command_in_flight_is_met_when_its_event_comes(harness: EnricherHarness) -> None:
    await harness.add_references(contact_record(email="ann@x.se"), article_record(), tombstone())
    order = WriterFixture("o-1").register(order_of_contact("ann@x.se", "Email"), CONFIRM)

    await harness.handle(order)

    assert deletions(harness) == [("o-1", order.job_id)]
    assert await harness.link("o-1") is None
    assert await harness.stages(order) == ("superseded", "dropped")
    assert await harness.database[HELD].count_documents({}) == 0


async def test_what_is_accepted_after_the_erasure_is_a_new_relation(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record(), tombstone())
    order = later(WriterFixture("o-1")).register(order_of_contact(), CONFIRM)

    await harness.handle(order)
    assert await harness.stages(order) == ("contactMissing", "held")
    await harness.add_references(article_record(), again())

    assert await harness.stages(order) == ("done", "fired")
    assert deletions(harness) == []


async def test_a_contact_that_came_again_keeps_its_new_orders_through_a_replay(
    harness: EnricherHarness,
) -> None:
    records = [contact_record(), tombstone(), again()]
    await harness.add_references(*records)
    order = later(WriterFixture("o-1")).register(order_of_contact())
    await harness.handle(order)

    await harness.add_references(*records)
    for record in [read_back(order.event)]:
        await harness.handle_events([record])

    assert deletions(harness) == []
    link = await harness.link("o-1")
    assert link is not None
    assert link["contactId"] == "c-1"


async def test_an_order_that_now_means_another_contact_is_that_ones(
    harness: EnricherHarness,
) -> None:
    """Two contacts shared a key; the order was nobody's."""
    await harness.add_references(
        contact_record("c-1", email="ann@x.se"), contact_record("c-2", email="ann@x.se")
    )
    await harness.handle(WriterFixture("o-1").register(order_of_contact("ann@x.se", "Email")))

    await harness.add_references(tombstone("c-1"))

    assert deletions(harness) == []
    link = await harness.link("o-1")
    assert link is not None
    assert link["contactId"] == "c-2"


async def test_an_order_that_was_replaced_for_a_living_contact_by_now_is_not_deleted(
    harness: EnricherHarness,
) -> None:
    """
    Its first event is handled late. The key that it has now was the erased contact's, too, and
    that event doesn't name it.
    """
    await harness.add_references(
        contact_record("c-1", email="ann@x.se"), contact_record("c-2", email="ann@x.se")
    )
    await harness.add_references(contact_record("c-3"))
    writer = WriterFixture("o-1")
    first, moved = (
        writer.register(order_of_contact("c-3")),
        writer.replace(order_of_contact("ann@x.se", "Email")),
    )
    await harness.store([first, moved])
    await harness.add_references(tombstone("c-1"))

    await harness.handle_events([read_back(first.event)])
    await harness.handle_events([read_back(moved.event)])

    assert deletions(harness) == []
    link = await harness.link("o-1")
    assert link is not None
    assert link["contactId"] == "c-2"


async def test_an_order_that_waits_although_it_means_a_living_contact_is_not_deleted(
    harness: EnricherHarness,
) -> None:
    """Its link was written by a worker that had read both contacts, after the first look."""
    await harness.add_references(
        contact_record("c-1", email="ann@x.se"), contact_record("c-2", email="ann@x.se")
    )
    await harness.handle(WriterFixture("o-1").register(order_of_contact("ann@x.se", "Email")))
    await harness.store_references_only(tombstone("c-1"))
    keys = frozenset({"ContactId:c-1", "Email:ann@x.se"})
    await harness.erase().note([DeletedContact("c-1", keys, SOON)])

    await harness.reconciler()(["o-1"], NOW)

    assert deletions(harness) == []


async def sharing(harness: EnricherHarness, *identities: str) -> WrittenCommand:
    """Let contacts share an e-mail, and an order with an action wait for one of them."""
    for identity in identities:
        await harness.add_references(contact_record(identity, email="ann@x.se"))
    await harness.add_references(article_record())
    order = WriterFixture("o-1").register(order_of_contact("ann@x.se", "Email"), CONFIRM)
    await harness.handle(order)
    assert await harness.stages(order) == ("contactMissing", "held")
    return order


async def test_of_three_contacts_with_a_key_the_last_one_takes_the_order_along(
    harness: EnricherHarness,
) -> None:
    order = await sharing(harness, "c-1", "c-2", "c-3")

    await harness.add_references(tombstone("c-1"))
    assert deletions(harness) == []
    assert await harness.stages(order) == ("contactMissing", "held")

    await harness.handle_references([tombstone("c-2"), tombstone("c-3")])
    assert deletions(harness) == [("o-1", order.job_id)]
    assert await harness.link("o-1") is None
    assert await holding(harness, "ann@x.se") == []


async def test_an_order_that_goes_to_the_living_contact_acts_for_it_from_then_on(
    harness: EnricherHarness,
) -> None:
    """What it held may have been meant for the erased one."""
    order = await sharing(harness, "c-1", "c-2")
    writer = WriterFixture("o-2")
    in_flight = writer.register(order_of_contact("ann@x.se", "Email"), CONFIRM)
    await harness.store([in_flight])

    await harness.add_references(tombstone("c-1"))
    await harness.handle_events([read_back(in_flight.event)])
    writer.at = datetime.now(UTC) + timedelta(days=1)  # the erasure was seen today
    await harness.handle(late := writer.change_status(CONFIRM))

    assert deletions(harness) == []
    assert await harness.stages(order) == ("done", "dropped")
    assert await harness.stages(in_flight) == ("done", "dropped")
    assert await harness.stages(late) == ("done", "fired")
    link = await harness.link("o-1")
    assert link is not None
    assert link["contactId"] == "c-2"


async def test_an_order_in_flight_waits_on_for_the_living_and_goes_with_the_last(
    harness: EnricherHarness,
) -> None:
    for identity in ("c-1", "c-2", "c-3"):
        await harness.add_references(contact_record(identity, email="ann@x.se"))
    order = WriterFixture("o-1").register(order_of_contact("ann@x.se", "Email"))
    await harness.store([order])

    await harness.add_references(tombstone("c-1"))
    await harness.handle_events([read_back(order.event)])
    assert deletions(harness) == []
    assert await harness.link("o-1") is not None

    last = [tombstone("c-2"), contact_record("c-3", email="new@x.se")]
    await harness.handle_references(last)
    assert deletions(harness) == [("o-1", order.job_id)]


@pytest.mark.parametrize("writes", range(6))
async def test_an_order_whose_last_other_carriers_lose_the_key_goes_with_the_erased_one(
    make_harness: MakeHarness, writes: int
) -> None:
    """Whatever became of the worker that read it: nobody is left whom it could mean."""
    harness = await make_harness()
    order = await sharing(harness, "c-1", "c-2", "c-3")
    await harness.add_references(tombstone("c-1"))
    renamed = [contact_record(it, email=f"{it}@x.se") for it in ("c-2", "c-3")]

    with suppress(WorkerDied):
        await harness.handle_references_until_death(renamed, writes)
    await harness.handle_references(renamed)

    assert set(deletions(harness)) == {("o-1", order.job_id)}
    assert await harness.link("o-1") is None


async def test_two_workers_that_erase_the_last_two_carriers_at_once_take_the_order(
    make_harness: MakeHarness,
) -> None:
    """Whichever of their calls to the database come first."""
    for steps in range(24):
        harness = await make_harness()
        order = await sharing(harness, "c-1", "c-2")
        await interleaved(
            harness,
            steps,
            handles(harness, tombstone("c-1")),
            handles(harness, tombstone("c-2")),
        )
        assert ("o-1", order.job_id) in deletions(harness), steps


async def test_an_event_and_the_last_erasure_at_once_leave_no_order(
    make_harness: MakeHarness,
) -> None:
    for steps in range(24):
        harness = await make_harness()
        for identity in ("c-1", "c-2", "c-3"):
            await harness.add_references(contact_record(identity, email="ann@x.se"))
        order = WriterFixture("o-1").register(order_of_contact("ann@x.se", "Email"))
        await harness.store([order])
        await harness.add_references(tombstone("c-1"))
        event = read_back(order.event)
        await interleaved(
            harness,
            steps,
            partial(handles_event, harness, event),
            handles(harness, tombstone("c-2"), tombstone("c-3")),
        )
        assert ("o-1", order.job_id) in deletions(harness), steps


Worker = Callable[[Any], Awaitable[None]]
"""Does its work on this database, or on the harness's."""


def handles(harness: EnricherHarness, *records: Record) -> Worker:
    return lambda database: harness.handle_references(records, database=database)


async def handles_event(harness: EnricherHarness, event: Record, database: Any) -> None:
    await harness.event_handler(database)([event], NOW)


async def interleaved(harness: EnricherHarness, steps: int, one: Worker, other: Worker) -> None:
    """Let *other* work as a whole when *one* has made so many calls to the database."""
    left = steps

    async def before(_: str) -> None:
        nonlocal left
        left -= 1
        if left == -1:
            await other(None)

    await one(InterceptedDatabase(harness.database, before))
    if left >= 0:
        await other(None)


async def test_the_key_of_an_erased_contact_is_known_for_as_long_as_an_order_waits_for_it(
    harness: EnricherHarness,
) -> None:
    order = await sharing(harness, "c-1", "c-2", "c-3")
    await harness.add_references(tombstone("c-1"))
    notes, day_30 = harness.database[ERASURES], datetime.now(UTC) + timedelta(days=30)
    await notes.update_many({}, {"$set": {"expireAt": datetime.now(UTC)}})

    await harness.sweeper()(NOW)

    kept = {it["_id"] async for it in notes.find({"expireAt": {"$gt": day_30}})}
    assert kept == {KEYS.hashed("Email:ann@x.se")}
    await harness.add_references(
        contact_record("c-2", email="b@x.se", contactType="Other"),
    )
    assert deletions(harness) == []
    assert (await harness.stages(order))[0] == "done"


async def test_an_order_just_before_the_tombstone_is_covered_though_clocks_differ(
    harness: EnricherHarness,
) -> None:
    """The database's is behind that of the broker: it sees the tombstone before it was there."""
    await harness.add_references(contact_record())
    ahead = datetime.now(UTC) + timedelta(days=1)
    writer = WriterFixture("o-1")
    writer.at = ahead
    order = writer.register(order_of_contact())
    await harness.handle(order)

    await harness.add_references(tombstone(at=ahead + timedelta(seconds=1)))

    assert deletions(harness) == [("o-1", order.job_id)]


async def test_who_dies_before_noting_an_erasure_and_reads_all_again_still_knows_its_keys(
    harness: EnricherHarness,
) -> None:
    """The contact's older record comes first then, and finds the tombstone's document."""
    old, gone = contact_record(email="ann@x.se"), tombstone()
    await harness.add_references(old)
    order = WriterFixture("o-1").register(order_of_contact("ann@x.se", "Email"))
    await harness.store([order])
    with suppress(WorkerDied):
        await harness.handle_references_until_death([gone], 1)

    await harness.add_references(old, gone)
    await harness.handle_events([read_back(order.event)])

    assert deletions(harness) == [("o-1", order.job_id)]


async def test_keys_of_a_contact_that_changed_since_are_kept_for_whoever_has_yet_to_look(
    harness: EnricherHarness,
) -> None:
    await harness.store_references_only(contact_record(email="ann@x.se"))
    kept = await reference_store.store_references(
        harness.database, [contact_record(email="new@x.se")], KEYS, TOPIC_IDS[CONTACTS.name]
    )
    await harness.store_references_only(tombstone())

    await reference_store.forget_former_keys(harness.database, kept.changed)

    [gone] = await harness.database[KNOWN].find().to_list()
    assert {"Email:ann@x.se", "Email:new@x.se"} <= set(gone["formerKeys"])


async def test_all_topics_read_again_bring_nothing_back(harness: EnricherHarness) -> None:
    writer = WriterFixture("o-1")
    records = [contact_record(email="ann@x.se"), article_record(), tombstone()]
    await harness.add_references(*records[:2])
    orders = [writer.register(order_of_contact("ann@x.se", "Email"), SECRETIVE)]
    await harness.handle(*orders)
    await harness.add_references(records[2])
    orders.append(later(writer).delete())
    await harness.handle(orders[1])
    fired = len(harness.publisher.on(ACTIONS.name))

    for record in records:
        await harness.add_references(record)
    await harness.handle_events([read_back(it.event) for it in orders])

    assert await holding(harness, "c-1", "ann@x.se") == []
    assert len(harness.publisher.on(ACTIONS.name)) == fired


async def test_an_older_order_is_deleted_although_it_is_replaced_for_the_same_contact_afterwards(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record("c-1"))
    writer = WriterFixture("o-1")
    first = writer.register(order_of_contact("c-1"))
    await harness.handle(first)
    moved = later(writer).replace(order_of_contact("c-1"))
    await harness.store([moved])
    await harness.add_references(tombstone("c-1"))
    await harness.database[ERASURES].update_many({}, {"$set": {"seen": NOW}})

    assert deletions(harness) == [("o-1", first.job_id)], "its link counts until the next one"
    await harness.handle_events([read_back(moved.event)])

    assert set(deletions(harness)) == {("o-1", first.job_id)}


async def test_a_replacement_for_an_erased_contact_stays_through_a_replay(
    harness: EnricherHarness,
) -> None:
    """It was accepted when the erasure had been seen: a new relation of an older order."""
    await harness.add_references(contact_record("c-1"), contact_record("c-2"))
    writer = WriterFixture("o-1")
    first = writer.register(order_of_contact("c-2"))
    await harness.handle(first)
    await harness.add_references(tombstone("c-1"))
    await harness.database[ERASURES].update_many({}, {"$set": {"seen": NOW}})
    moved = later(writer).replace(order_of_contact("c-1"))
    await harness.handle(moved)

    await harness.add_references(tombstone("c-1"))
    await harness.handle_events([read_back(writer.event_again(it)) for it in (first, moved)])

    assert deletions(harness) == []
    assert await harness.link("o-1") is not None


async def test_an_order_that_was_replaced_for_another_contact_stays(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record("c-1"), contact_record("c-2"))
    writer = WriterFixture("o-1")
    first, second = (
        writer.register(order_of_contact("c-1"), SECRETIVE),
        writer.replace(order_of_contact("c-2")),
    )
    await harness.handle(first)
    await harness.handle(second)

    await harness.add_references(tombstone("c-1"))
    await harness.handle_events([read_back(it.event) for it in (first, second)])

    assert deletions(harness) == []
    assert await holding(harness, "ann@x.se") == []


async def test_deliveries_are_redacted_and_what_was_not_sent_is_dropped(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record())
    times = {"registeredAt": AT, "acceptedAt": AT}
    sent = {"contactId": "c-1", **times, "body": "c-1", "record": {}, "attempts": []}
    new = {**sent, "registeredAt": LATER}
    await harness.database[ACTION_DELIVERIES].insert_many(
        [
            {"_id": "pending", "state": "pending", **sent},
            {"_id": "done", "state": "delivered", **sent},
            {"_id": "new", "state": "pending", **new},
        ]
    )

    await harness.add_references(tombstone())

    kept = {it["_id"]: it async for it in harness.database[ACTION_DELIVERIES].find()}
    assert {name: it["state"] for name, it in kept.items()} == {
        "pending": "dropped",
        "done": "delivered",
        "new": "pending",
    }
    personal = {"body", "record", "contactId"}
    assert not personal & {*kept["pending"], *kept["done"]}


async def test_a_batch_that_deletes_a_contact_and_brings_it_again_erases_what_was(
    harness: EnricherHarness,
) -> None:
    """An enricher that was away reads both at once."""
    await harness.add_references(contact_record())
    order = WriterFixture("o-1").register(order_of_contact())
    await harness.handle(order)

    await harness.handle_references([tombstone(), again()])

    assert deletions(harness) == [("o-1", order.job_id)]
    assert await harness.database[KNOWN].count_documents({"contactId": "c-1"}) == 1


@pytest.mark.parametrize("writes", range(8))
async def test_a_crash_between_any_two_writes_erases_all_the_same(
    make_harness: MakeHarness, writes: int
) -> None:
    harness = await make_harness()
    await harness.add_references(contact_record(email="ann@x.se"))
    linked, waits = (WriterFixture(it).register(order_of_contact()) for it in ("o-1", "o-2"))
    await harness.handle(linked, waits)
    await harness.store(
        [orders := WriterFixture("o-3").register(order_of_contact("ann@x.se", "Email"))]
    )
    gone = tombstone()

    with suppress(WorkerDied):
        await harness.handle_references_until_death([gone], writes)
    await harness.add_references(gone)
    await harness.handle_events([read_back(orders.event)])

    asked = {("o-1", linked.job_id), ("o-2", waits.job_id), ("o-3", orders.job_id)}
    assert set(deletions(harness)) == asked
    assert await holding(harness, "c-1", "ann@x.se") == []


def test_an_order_with_a_shared_key_is_deleted_with_the_last_contact_that_has_it(
    stack: RunningStack, tmp_path: Path
) -> None:
    """The whole system: the erasure says that others have the key, and finds nothing else."""
    api, email = ApiClient(stack), f"{unique('family')}@example.com"
    family = [contact_body(email=email) for _ in range(3)]
    file = tmp_path / "contacts.ndjson"
    file.write_text("\n".join(map(json.dumps, family)))
    stack.orders("reference", "load", "--wait", str(file))
    shared = {"matchKey": email, "matchKeyType": "Email"}
    body = order_body(contact=shared, orderAction={"action": "ConfirmOrder"})
    job_id = api.registered(body)
    assert api.settled(job_id)["stages"]["action"] == "held"

    found = erased(stack, family[0]["contactId"])

    assert (found["left"], found["shared"]) == ([], ["Email"])
    assert api.order(body["orderId"]).status_code == 200
    assert api.job(job_id).json()["stages"]["action"] == "held"
    assert erased(stack, family[1]["contactId"])["left"] == []
    assert api.order(body["orderId"]).json()["contactId"] == family[2]["contactId"]
    assert api.job(job_id).json()["stages"]["action"] == "dropped"
    assert erased(stack, family[2]["contactId"])["shared"] == []
    assert api.order(body["orderId"]).status_code == 404


def erased(stack: RunningStack, contact_id: str) -> Json:
    found: Json = json.loads(stack.orders("privacy", "erase", contact_id, "--json").stdout)
    return found
