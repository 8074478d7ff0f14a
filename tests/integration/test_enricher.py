"""The enricher on a real database: what it writes, and that doing it again changes nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from enricher.adapters import reference_store
from order_contracts.topics import ACTIONS, CONTACTS, ENRICHED, EVENTS_DLQ, STORES
from order_runtime.kafka.records import Outgoing, Record
from order_runtime.mongo.client import HELD, JOBS
from support.builders.bodies import line
from support.builders.writer_fixtures import AT, WriterFixture, WrittenCommand, reference, taken
from support.stack.enricher_harness import (
    CONFIRM,
    DAY,
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

WRITES_OF_A_BATCH = 10

KNOWN = (contact(), article())


async def test_an_order_is_connected_checked_and_its_action_requested(
    place: EnricherHarness,
) -> None:
    await place.knows(contact(email="Ann@example.com"), article())
    order = WriterFixture("o-1").register(body("ann@EXAMPLE.com", "Email"), CONFIRM)

    await place.handle(order)

    assert await place.stages(order) == ("done", "fired")
    link = await place.link("o-1")
    assert link is not None
    assert (link["contactId"], link["registeredAt"]) == ("c-1", order.order["registeredAt"])
    [enriched] = place.topics.on(ENRICHED.name)
    assert (enriched["orderId"], enriched["contactId"]) == ("o-1", "c-1")
    [action] = place.topics.on(ACTIONS.name)
    assert action["order"]["contactId"] == "c-1"
    assert action["data"] == CONFIRM["data"]


async def test_what_is_missing_is_said_in_the_log_and_the_action_held(
    place: EnricherHarness,
) -> None:
    order = WriterFixture("o-1").register(
        body("ann@x.se", "Email", externalStoreId="shop"), CONFIRM
    )

    await place.handle(order)

    assert await place.stages(order) == ("contactMissing", "held")
    assert await place.codes() == [
        ("ArticleMissing", "mug"),
        ("ContactMissing", "Email"),
        ("StoreMissing", "shop"),
    ]
    held = await place.database[HELD].find_one({"orderId": "o-1"})
    assert held is not None
    assert (held["state"], held["until"]) == ("waiting", AT + DAY)
    assert place.topics.on(ACTIONS.name) == []


async def test_a_contact_that_was_deleted_is_unknown(place: EnricherHarness) -> None:
    await place.knows(contact(), article(), reference(CONTACTS.name, "c-1", None))
    order = WriterFixture("o-1").register(body())

    await place.handle(order)

    assert await place.codes() == [("ContactMissing", "ContactId")]


async def test_an_older_reference_never_overwrites_a_newer_one_nor_resurrects(
    place: EnricherHarness,
) -> None:
    """A topic read again from its start gives old values first."""
    old, new, gone = contact(email="old@x.se"), contact(email="new@x.se"), contact("c-2")
    deleted = reference(CONTACTS.name, "c-2", None)

    await place.knows(old, new, gone, deleted)
    before = await place.database["contacts"].find().sort("contactId").to_list()
    await place.knows(old, gone)

    assert await place.database["contacts"].find().sort("contactId").to_list() == before
    assert set(before[0]) == {"_id", "deletedAt", "position", "expireAt"}
    assert "Email:new@x.se" in before[1]["keys"]


async def test_the_later_in_the_log_counts_although_the_brokers_clock_went_back(
    place: EnricherHarness,
) -> None:
    """Another broker leads the partition, and its clock is behind."""
    await place.knows(contact(), reference(CONTACTS.name, "c-1", None, at=AT - timedelta(hours=1)))

    [gone] = await place.database["contacts"].find().to_list()
    assert "deletedAt" in gone


async def test_a_topic_that_was_made_anew_counts_though_its_offsets_begin_again(
    place: EnricherHarness,
) -> None:
    await place.knows(contact(email="old@x.se"))
    value = contact(email="new@x.se").value
    first = replace(reference(CONTACTS.name, "c-1", value, at=NOW), offset=0)

    await reference_store.store_references(place.database, [first], KEYS, "another topic")

    [known] = await place.database["contacts"].find().to_list()
    assert "Email:new@x.se" in known["keys"]


async def test_a_batch_of_references_keeps_the_last_of_each_and_passes_over_what_is_none(
    place: EnricherHarness,
) -> None:
    bad = reference(STORES.name, "s-1", b"{")
    good = [
        reference(STORES.name, "s-1", json.dumps({"externalStoreId": "s-1", "name": it}).encode())
        for it in ("a", "b")
    ]

    await reference_store.store_references(
        place.database, [*good, bad], KEYS, TOPIC_IDS[STORES.name]
    )

    [store] = await place.database["stores"].find().to_list()
    assert store["name"] == "b"


async def test_an_event_that_is_twice_in_a_batch_is_decided_once(place: EnricherHarness) -> None:
    """First its order was replaced already, then the replacement's link is there to be used."""
    writer = WriterFixture("o-1")
    await place.handle(writer.register(body("c-2")))
    changed, replaced = writer.change(CONFIRM), writer.replace(body("c-2"))
    await place.store([changed, replaced])

    await place.enrich([taken(it.event) for it in (changed, replaced, changed)])

    assert await place.stages(changed) == ("superseded", "dropped")
    assert await place.database[HELD].count_documents({}) == 0


async def test_a_replay_from_the_start_changes_nothing_and_says_nothing_new(
    place: EnricherHarness,
) -> None:
    """Even though contact and articles are known by now that weren't the first time."""
    day = Day.of_every_kind()
    await day.happens(place)
    await place.knows(contact("c-2"), article("cup"))
    before, told = await place.dump(), set(place.topics.ids())

    await place.enrich(day.records)
    for record in day.records:
        await place.enrich([record])

    assert await place.dump() == before
    assert set(place.topics.ids()) == told


@pytest.mark.parametrize("writes", range(WRITES_OF_A_BATCH + 1))
async def test_a_crash_between_any_two_writes_loses_neither_message_nor_effect(
    make: MakeHarness, writes: int
) -> None:
    """The batch is read again, and ends as if nothing had happened."""
    calm, stormy, day = await make(), await make(), Day.of_every_kind()
    await day.happens(calm)

    died = await day.happens(stormy, dying=writes)

    assert died is (writes < WRITES_OF_A_BATCH)
    assert await stormy.dump() == await calm.dump()
    assert set(stormy.topics.ids()) == set(calm.topics.ids())


async def test_a_crash_instead_of_publishing_loses_no_message(make: MakeHarness) -> None:
    calm, stormy, day = await make(), await make(), Day.of_every_kind()
    await day.happens(calm)

    stormy.topics.dies_at = 2
    assert await day.happens(stormy)

    assert await stormy.dump() == await calm.dump()
    assert set(stormy.topics.ids()) == set(calm.topics.ids())


async def test_what_was_held_before_a_crash_fires_once_where_its_contact_came_meanwhile(
    place: EnricherHarness,
) -> None:
    """The log never names a contact as missing that its own order is linked to."""
    order = WriterFixture("o-1").register(body("c-2", lines=[line(sku="cup")]), CONFIRM)
    await place.store([order])
    record = taken(order.event)
    place.topics.dies_at = 1
    with pytest.raises(WorkerDied):
        await place.enrich([record])

    await place.knows(contact("c-2"), article("cup"))
    await place.enrich([record])

    assert await place.stages(order) == ("done", "fired")
    assert len(place.topics.on(ACTIONS.name)) == 1
    assert await place.codes() == []


async def test_a_deletion_removes_the_link_and_drops_what_was_held(place: EnricherHarness) -> None:
    writer = WriterFixture("o-1")
    order = writer.register(body("nobody"), CONFIRM)
    await place.handle(order)

    await place.handle(writer.delete())

    assert await place.link("o-1") is None
    assert await place.stages(order) == ("contactMissing", "dropped")
    held = await place.database[HELD].find_one({"orderId": "o-1"})
    assert held is not None
    assert held["state"] == "dropped"
    assert ("ActionDropped", None) in await place.codes()


async def test_a_replacement_drops_what_was_held_for_the_order_before_it(
    place: EnricherHarness,
) -> None:
    await place.knows(contact(), article())
    writer = WriterFixture("o-1")
    first = writer.register(body("nobody"), CONFIRM)
    await place.handle(first)

    second = writer.replace(body(), CONFIRM)
    await place.handle(second)

    assert await place.stages(first) == ("contactMissing", "dropped")
    assert await place.stages(second) == ("done", "fired")


async def test_the_late_event_of_a_former_life_touches_nothing_of_the_present_one(
    place: EnricherHarness,
) -> None:
    await place.knows(contact(), contact("c-2"), article())
    writer = WriterFixture("o-1")
    first, deleted = writer.register(body(), CONFIRM), writer.delete()
    second = writer.register(body("c-2"))
    await place.store([first, deleted])
    await place.handle(second)

    await place.enrich([taken(first.event), taken(deleted.event)])

    link = await place.link("o-1")
    assert link is not None
    assert (link["contactId"], link["contactVersion"]) == ("c-2", 3)
    assert await place.stages(first) == ("superseded", "dropped")
    assert place.topics.on(ACTIONS.name) == []


async def test_the_late_deletion_of_a_former_life_drops_nothing_of_the_present_one(
    place: EnricherHarness,
) -> None:
    writer = WriterFixture("o-1")
    first, deleted = writer.register(body("nobody")), writer.delete()
    second = writer.register(body("nobody"), CONFIRM)
    await place.store([first, deleted])
    await place.handle(second)

    await place.enrich([taken(deleted.event)])

    assert await place.stages(second) == ("contactMissing", "held")


async def test_an_action_follows_the_link_that_its_own_batch_made(place: EnricherHarness) -> None:
    await place.knows(contact(), article())
    writer = WriterFixture("o-1")
    registered, asked = writer.register(body()), writer.ask(CONFIRM)

    await place.handle(registered, asked)

    assert await place.stages(asked) == ("done", "fired")


async def test_what_is_no_event_becomes_a_dead_letter_and_the_others_are_handled(
    place: EnricherHarness,
) -> None:
    await place.knows(contact(), article())
    order = WriterFixture("o-1").register(body())
    await place.store([order])
    bad = taken(Outgoing("orders.events", b"o-2", b"{"))

    await place.enrich([bad, taken(order.event)])

    assert await place.stages(order) == ("done", "none")
    [letter] = [it for it in place.topics.records if it.topic == EVENTS_DLQ.name]
    assert (letter.key, letter.value) == (b"o-2", b"{")


async def test_a_job_that_is_past_its_retention_is_not_made_again(place: EnricherHarness) -> None:
    await place.knows(contact(), article())
    order = WriterFixture("o-1").register(body())
    await place.store([order])
    await place.database[JOBS].delete_one({"_id": order.job_id})

    await place.enrich([taken(order.event)])

    assert await place.database[JOBS].find_one({"_id": order.job_id}) is None


@dataclass
class Day:
    """Two batches of events in which everything happens that can happen to an order."""

    first: list[WrittenCommand]
    second: list[WrittenCommand]
    records: list[Record] = field(default_factory=list)

    @classmethod
    def of_every_kind(cls) -> Day:
        acted, replaced, deleted, late = (WriterFixture(f"o-{it}") for it in range(4))
        missing = body("c-2", lines=[line(sku="cup")], externalStoreId="shop")
        first = [
            acted.register(body(), CONFIRM),
            replaced.register(missing, CONFIRM),
            deleted.register(missing, CONFIRM),
        ]
        second = [
            acted.change(CONFIRM),
            acted.ask(CONFIRM),
            replaced.replace(body(), CONFIRM),
            deleted.delete(),
            late.register(missing, CONFIRM),
            late.change(CONFIRM),
        ]
        day = cls(first, second)
        day.records = [taken(it.event) for it in (*first, *second)]
        return day

    async def happens(self, place: EnricherHarness, *, dying: int | None = None) -> bool:
        """Let it happen; return whether the second batch had to be handled twice."""
        await place.knows(*KNOWN)
        await place.store(self.first)
        await place.enrich(self.records[: len(self.first)])
        await place.store(self.second)
        batch = self.records[len(self.first) :]
        try:
            await place.enrich(batch, dying=dying)
        except WorkerDied:
            await place.enrich(batch)
            return True
        return False
