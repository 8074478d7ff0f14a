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
from support.builders.writer_fixtures import (
    AT,
    WriterFixture,
    WrittenCommand,
    read_back,
    reference_record,
)
from support.fakes.intercepted_database import WorkerDied
from support.harness.enricher_harness import (
    CONFIRM,
    DAY,
    KEYS,
    NOW,
    TOPIC_IDS,
    EnricherHarness,
    MakeHarness,
    article_record,
    contact_record,
    order_of_contact,
)

WRITES_OF_A_BATCH = 12

KNOWN = (contact_record(), article_record())


async def test_an_order_is_connected_checked_and_its_action_requested(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record(email="Ann@example.com"), article_record())
    order = WriterFixture("o-1").register(order_of_contact("ann@EXAMPLE.com", "Email"), CONFIRM)

    await harness.handle(order)

    assert await harness.stages(order) == ("done", "fired")
    link = await harness.link("o-1")
    assert link is not None
    assert (link["contactId"], link["registeredAt"]) == ("c-1", order.order["registeredAt"])
    [enriched] = harness.publisher.on(ENRICHED.name)
    assert (enriched["orderId"], enriched["contactId"]) == ("o-1", "c-1")
    [action] = harness.publisher.on(ACTIONS.name)
    assert action["order"]["contactId"] == "c-1"
    assert action["data"] == CONFIRM["data"]


async def test_what_is_missing_is_said_in_the_log_and_the_action_held(
    harness: EnricherHarness,
) -> None:
    order = WriterFixture("o-1").register(
        order_of_contact("ann@x.se", "Email", externalStoreId="shop"), CONFIRM
    )

    await harness.handle(order)

    assert await harness.stages(order) == ("contactMissing", "held")
    assert await harness.open_log_codes() == [
        ("ArticleMissing", "mug"),
        ("ContactMissing", "Email"),
        ("StoreMissing", "shop"),
    ]
    held = await harness.database[HELD].find_one({"orderId": "o-1"})
    assert held is not None
    assert (held["state"], held["until"]) == ("waiting", AT + DAY)
    assert harness.publisher.on(ACTIONS.name) == []


async def test_a_contact_that_was_deleted_is_unknown(harness: EnricherHarness) -> None:
    await harness.add_references(
        contact_record(), article_record(), reference_record(CONTACTS.name, "c-1", None)
    )
    order = WriterFixture("o-1").register(order_of_contact())

    await harness.handle(order)

    assert await harness.open_log_codes() == [("ContactMissing", "ContactId")]


async def test_an_older_reference_never_overwrites_a_newer_one_nor_resurrects(
    harness: EnricherHarness,
) -> None:
    """A topic read again from its start gives old values first."""
    old, new, gone = (
        contact_record(email="old@x.se"),
        contact_record(email="new@x.se"),
        contact_record("c-2"),
    )
    deleted = reference_record(CONTACTS.name, "c-2", None)

    await harness.add_references(old, new, gone, deleted)
    before = await harness.database["contacts"].find().sort("contactId").to_list()
    await harness.add_references(old, gone)

    assert await harness.database["contacts"].find().sort("contactId").to_list() == before
    assert set(before[0]) == {"_id", "deletedAt", "position", "expireAt"}
    assert "Email:new@x.se" in before[1]["keys"]


async def test_the_later_in_the_log_counts_although_the_brokers_clock_went_back(
    harness: EnricherHarness,
) -> None:
    """Another broker leads the partition, and its clock is behind."""
    await harness.add_references(
        contact_record(), reference_record(CONTACTS.name, "c-1", None, at=AT - timedelta(hours=1))
    )

    [gone] = await harness.database["contacts"].find().to_list()
    assert "deletedAt" in gone


async def test_a_topic_that_was_made_anew_counts_though_its_offsets_begin_again(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record(email="old@x.se"))
    value = contact_record(email="new@x.se").value
    first = replace(reference_record(CONTACTS.name, "c-1", value, at=NOW), offset=0)

    await reference_store.store_references(harness.database, [first], KEYS, "another topic")

    [known] = await harness.database["contacts"].find().to_list()
    assert "Email:new@x.se" in known["keys"]


async def test_a_batch_of_references_keeps_the_last_of_each_and_passes_over_what_is_none(
    harness: EnricherHarness,
) -> None:
    bad = reference_record(STORES.name, "s-1", b"{")
    good = [
        reference_record(
            STORES.name, "s-1", json.dumps({"externalStoreId": "s-1", "name": it}).encode()
        )
        for it in ("a", "b")
    ]

    await reference_store.store_references(
        harness.database, [*good, bad], KEYS, TOPIC_IDS[STORES.name]
    )

    [store] = await harness.database["stores"].find().to_list()
    assert store["name"] == "b"


async def test_an_event_that_is_twice_in_a_batch_is_decided_once(harness: EnricherHarness) -> None:
    """First its order was replaced already, then the replacement's link is there to be used."""
    writer = WriterFixture("o-1")
    await harness.handle(writer.register(order_of_contact("c-2")))
    changed, replaced = writer.change_status(CONFIRM), writer.replace(order_of_contact("c-2"))
    await harness.store([changed, replaced])

    await harness.handle_events([read_back(it.event) for it in (changed, replaced, changed)])

    assert await harness.stages(changed) == ("superseded", "dropped")
    assert await harness.database[HELD].count_documents({}) == 0


async def test_a_replay_from_the_start_changes_nothing_and_says_nothing_new(
    harness: EnricherHarness,
) -> None:
    """Even though contact and articles are known by now that weren't the first time."""
    day = Day.of_every_kind()
    await day.happens(harness)
    await harness.add_references(contact_record("c-2"), article_record("cup"))
    before, told = await harness.dump(), set(harness.publisher.ids())

    await harness.handle_events(day.records)
    for record in day.records:
        await harness.handle_events([record])

    assert await harness.dump() == before
    assert set(harness.publisher.ids()) == told


@pytest.mark.parametrize("writes", range(WRITES_OF_A_BATCH + 1))
async def test_a_crash_between_any_two_writes_loses_neither_message_nor_effect(
    make_harness: MakeHarness, writes: int
) -> None:
    """The batch is read again, and ends as if nothing had happened."""
    calm, stormy, day = await make_harness(), await make_harness(), Day.of_every_kind()
    await day.happens(calm)

    died = await day.happens(stormy, dies_after=writes)

    assert died is (writes < WRITES_OF_A_BATCH)
    assert await stormy.dump() == await calm.dump()
    assert set(stormy.publisher.ids()) == set(calm.publisher.ids())


async def test_a_crash_instead_of_publishing_loses_no_message(make_harness: MakeHarness) -> None:
    calm, stormy, day = await make_harness(), await make_harness(), Day.of_every_kind()
    await day.happens(calm)

    stormy.publisher.dies_at = 2
    assert await day.happens(stormy)

    assert await stormy.dump() == await calm.dump()
    assert set(stormy.publisher.ids()) == set(calm.publisher.ids())


async def test_what_was_held_before_a_crash_fires_once_where_its_contact_came_meanwhile(
    harness: EnricherHarness,
) -> None:
    """The log never names a contact as missing that its own order is linked to."""
    order = WriterFixture("o-1").register(order_of_contact("c-2", lines=[line(sku="cup")]), CONFIRM)
    await harness.store([order])
    record = read_back(order.event)
    harness.publisher.dies_at = 1
    with pytest.raises(WorkerDied):
        await harness.handle_events([record])

    await harness.add_references(contact_record("c-2"), article_record("cup"))
    await harness.handle_events([record])

    assert await harness.stages(order) == ("done", "fired")
    assert len(harness.publisher.on(ACTIONS.name)) == 1
    assert await harness.open_log_codes() == []


async def test_a_deletion_removes_the_link_and_drops_what_was_held(
    harness: EnricherHarness,
) -> None:
    writer = WriterFixture("o-1")
    order = writer.register(order_of_contact("nobody"), CONFIRM)
    await harness.handle(order)

    await harness.handle(writer.delete())

    assert await harness.link("o-1") is None
    assert await harness.stages(order) == ("contactMissing", "dropped")
    held = await harness.database[HELD].find_one({"orderId": "o-1"})
    assert held is not None
    assert held["state"] == "dropped"
    assert await harness.drop_reasons() == ["orderDeleted"]


async def test_a_replacement_drops_what_was_held_for_the_order_before_it(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record(), article_record())
    writer = WriterFixture("o-1")
    first = writer.register(order_of_contact("nobody"), CONFIRM)
    await harness.handle(first)

    second = writer.replace(order_of_contact(), CONFIRM)
    await harness.handle(second)

    assert await harness.stages(first) == ("contactMissing", "dropped")
    assert await harness.stages(second) == ("done", "fired")


async def test_the_late_event_of_a_former_life_touches_nothing_of_the_present_one(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record(), contact_record("c-2"), article_record())
    writer = WriterFixture("o-1")
    first, deleted = writer.register(order_of_contact(), CONFIRM), writer.delete()
    second = writer.register(order_of_contact("c-2"))
    await harness.store([first, deleted])
    await harness.handle(second)

    await harness.handle_events([read_back(first.event), read_back(deleted.event)])

    link = await harness.link("o-1")
    assert link is not None
    assert (link["contactId"], link["contactVersion"]) == ("c-2", 3)
    assert await harness.stages(first) == ("superseded", "dropped")
    assert harness.publisher.on(ACTIONS.name) == []


async def test_the_late_deletion_of_a_former_life_drops_nothing_of_the_present_one(
    harness: EnricherHarness,
) -> None:
    writer = WriterFixture("o-1")
    first, deleted = writer.register(order_of_contact("nobody")), writer.delete()
    second = writer.register(order_of_contact("nobody"), CONFIRM)
    await harness.store([first, deleted])
    await harness.handle(second)

    await harness.handle_events([read_back(deleted.event)])

    assert await harness.stages(second) == ("contactMissing", "held")


async def test_an_action_follows_the_link_that_its_own_batch_made(harness: EnricherHarness) -> None:
    await harness.add_references(contact_record(), article_record())
    writer = WriterFixture("o-1")
    registered, asked = writer.register(order_of_contact()), writer.trigger_action(CONFIRM)

    await harness.handle(registered, asked)

    assert await harness.stages(asked) == ("done", "fired")


async def test_what_is_no_event_becomes_a_dead_letter_and_the_others_are_handled(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record(), article_record())
    order = WriterFixture("o-1").register(order_of_contact())
    await harness.store([order])
    bad = read_back(Outgoing("orders.events", b"o-2", b"{"))

    await harness.handle_events([bad, read_back(order.event)])

    assert await harness.stages(order) == ("done", "none")
    [letter] = [it for it in harness.publisher.records if it.topic == EVENTS_DLQ.name]
    assert (letter.key, letter.value) == (b"o-2", b"{")


async def test_a_job_that_is_past_its_retention_is_not_made_again(harness: EnricherHarness) -> None:
    await harness.add_references(contact_record(), article_record())
    order = WriterFixture("o-1").register(order_of_contact())
    await harness.store([order])
    await harness.database[JOBS].delete_one({"_id": order.job_id})

    await harness.handle_events([read_back(order.event)])

    assert await harness.database[JOBS].find_one({"_id": order.job_id}) is None


@dataclass
class Day:
    """Two batches of events in which everything happens that can happen to an order."""

    first: list[WrittenCommand]
    second: list[WrittenCommand]
    records: list[Record] = field(default_factory=list)

    @classmethod
    def of_every_kind(cls) -> Day:
        acted, replaced, deleted, late = (WriterFixture(f"o-{it}") for it in range(4))
        missing = order_of_contact("c-2", lines=[line(sku="cup")], externalStoreId="shop")
        first = [
            acted.register(order_of_contact(), CONFIRM),
            replaced.register(missing, CONFIRM),
            deleted.register(missing, CONFIRM),
        ]
        second = [
            acted.change_status(CONFIRM),
            acted.trigger_action(CONFIRM),
            replaced.replace(order_of_contact(), CONFIRM),
            deleted.delete(),
            late.register(missing, CONFIRM),
            late.change_status(CONFIRM),
        ]
        day = cls(first, second)
        day.records = [read_back(it.event) for it in (*first, *second)]
        return day

    async def happens(self, harness: EnricherHarness, *, dies_after: int | None = None) -> bool:
        """Let it happen; return whether the second batch had to be handled twice."""
        await harness.add_references(*KNOWN)
        await harness.store(self.first)
        await harness.handle_events(self.records[: len(self.first)])
        await harness.store(self.second)
        batch = self.records[len(self.first) :]
        try:
            await harness.handle_events(batch, dies_after=dies_after)
        except WorkerDied:
            await harness.handle_events(batch)
            return True
        return False
