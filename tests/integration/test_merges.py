"""Contacts that are merged: whose their orders, deliveries and keys are, before and after."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from bson import encode

from action_trigger.adapters.delivery_store import DeliveryStore
from gateway.adapters.read_store import ReadStore
from order_contracts.topics import ACTIONS, COMMANDS, CONTACTS
from order_operations.privacy.pii_scan import pattern
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import ACTION_DELIVERIES, ERASURES, MERGES
from support.builders.actions import ASKED_AT
from support.builders.bodies import Json, contact_body, matching, order_body
from support.builders.raw_records import RawRecord
from support.builders.writer_fixtures import AT, WriterFixture, read_back, reference_record
from support.fakes.intercepted_database import InterceptedDatabase, WorkerDied
from support.harness.dispatch_harness import received_actions
from support.harness.enricher_harness import (
    CONFIRM,
    KEYS,
    NOW,
    EnricherHarness,
    MakeHarness,
    article_record,
    contact_record,
    order_of_contact,
)
from support.stack.api_client import ApiClient
from support.stack.consumer_groups import lag
from support.stack.kafka_records import publish_records
from support.stack.running_stack import RunningStack
from support.stack.wait import until

SOON = AT + timedelta(seconds=30)
SENT = {
    "contactId": "loser",
    "registeredAt": AT,
    "acceptedAt": AT,
    "body": "loser",
    "record": {},
    "attempts": [],
    "state": "delivered",
}


def merged(loser: str = "loser", into: str = "kept", **keys: str) -> Record:
    return contact_record(loser, mergedInto=into, **keys)


def tombstone(identity: str = "loser") -> Record:
    return reference_record(CONTACTS.name, identity, None, at=SOON)


def deletions(harness: EnricherHarness) -> set[str]:
    asked = (it for it in harness.publisher.records if it.topic == COMMANDS.name)
    return {(it.key or b"").decode() for it in asked}


async def contact_of(harness: EnricherHarness, order_id: str = "o-1") -> str | None:
    link = await harness.link(order_id)
    assert link is not None
    found: str | None = link["contactId"]
    return found


async def test_the_orders_of_a_merged_contact_are_the_survivors_and_outlive_its_tombstone(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record("kept"), contact_record("loser", email="l@x.se"))
    await harness.handle(WriterFixture("o-1").register(order_of_contact("loser")))
    await harness.database[ACTION_DELIVERIES].insert_one({"_id": "d-1", **SENT})

    await harness.add_references(merged(email="l@x.se"))
    by_key = WriterFixture("o-2").register(order_of_contact("l@x.se", "Email"))
    await harness.handle(by_key)
    assert [await contact_of(harness, it) for it in ("o-1", "o-2")] == ["kept", "kept"]
    await harness.add_references(tombstone())
    late = WriterFixture("o-3").register(order_of_contact("loser"), CONFIRM)
    await harness.add_references(article_record())
    await harness.handle(late)

    assert deletions(harness) == set()
    assert await contact_of(harness, "o-3") == "kept"
    assert [it["contactId"] for it in harness.publisher.on(ACTIONS.name)] == ["kept"]
    delivery = await harness.database[ACTION_DELIVERIES].find_one({})
    assert delivery is not None
    assert (delivery["contactId"], delivery["body"]) == ("kept", "loser")
    assert await harness.database[ERASURES].count_documents({}) == 0


async def test_two_contacts_of_which_one_is_merged_into_the_other_are_one(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(
        article_record(),
        contact_record("kept", email="a@x.se"),
        contact_record("loser", email="a@x.se"),
    )
    order = WriterFixture("o-1").register(order_of_contact("a@x.se", "Email"), CONFIRM)
    await harness.handle(order)
    assert await harness.stages(order) == ("contactMissing", "held")

    await harness.add_references(merged(email="a@x.se"))

    assert await contact_of(harness) == "kept"
    assert await harness.stages(order) == ("done", "fired")
    assert await harness.open_log_codes() == []


@pytest.mark.parametrize("gone", [False, True])
async def test_orders_wait_for_a_survivor_that_is_not_known_yet(
    harness: EnricherHarness, *, gone: bool
) -> None:
    await harness.add_references(article_record(), merged())
    if gone:
        await harness.add_references(tombstone())
    order = WriterFixture("o-1").register(order_of_contact("loser"), CONFIRM)
    await harness.handle(order)
    assert await harness.stages(order) == ("contactMissing", "held")

    await harness.add_references(contact_record("kept"))

    assert await contact_of(harness) == "kept"
    assert await harness.stages(order) == ("done", "fired")
    assert deletions(harness) == set()


async def test_merges_are_followed_over_contacts_that_are_gone(harness: EnricherHarness) -> None:
    await harness.add_references(contact_record("loser"), contact_record("kept"))
    await harness.handle(WriterFixture("o-1").register(order_of_contact("loser")))
    await harness.add_references(merged(), tombstone())

    await harness.add_references(contact_record("last"), merged("kept", "last"), tombstone("kept"))
    await harness.handle(WriterFixture("o-2").register(order_of_contact("loser")))

    assert [await contact_of(harness, it) for it in ("o-1", "o-2")] == ["last", "last"]
    assert deletions(harness) == set()


async def test_contacts_that_are_merged_into_each_other_are_the_one_with_the_smallest_id(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(contact_record("a"), contact_record("b"))
    for number, identity in enumerate("ab"):
        await harness.handle(WriterFixture(f"o-{number}").register(order_of_contact(identity)))

    await harness.add_references(merged("a", "b"), merged("b", "a"))

    assert [await contact_of(harness, it) for it in ("o-0", "o-1")] == ["a", "a"]


async def test_erasing_the_survivor_takes_all_that_was_merged_into_it(
    harness: EnricherHarness,
) -> None:
    await harness.add_references(
        contact_record("kept"), contact_record("loser", email="l@x.se"), contact_record("other")
    )
    await harness.handle(WriterFixture("o-1").register(order_of_contact("loser")))
    in_flight = WriterFixture("o-2").register(order_of_contact("loser"))
    by_key = WriterFixture("o-3").register(order_of_contact("l@x.se", "Email"))
    await harness.store([in_flight, by_key])
    await harness.handle(WriterFixture("o-4").register(order_of_contact("other")))
    await harness.add_references(merged(email="l@x.se"), merged("other"), tombstone("other"))
    late_delivery = {"_id": "d-1", **SENT}
    await harness.database[ACTION_DELIVERIES].insert_one(late_delivery)

    await harness.add_references(tombstone("kept"))
    await harness.handle_events([read_back(it.event) for it in (in_flight, by_key)])

    assert deletions(harness) == {"o-1", "o-2", "o-3", "o-4"}
    delivery = await harness.database[ACTION_DELIVERIES].find_one({})
    assert delivery is not None
    assert "contactId" not in delivery
    sought = pattern(["kept", "other"])
    for name in ("contacts", "links", "held", "erasures", MERGES):
        async for document in harness.database[name].find():
            assert not sought.search(encode(document)), name


async def test_a_merge_into_an_erased_contact_is_that_ones_end(harness: EnricherHarness) -> None:
    await harness.add_references(contact_record("kept"), contact_record("loser"))
    await harness.handle(WriterFixture("o-1").register(order_of_contact("loser")))
    await harness.add_references(tombstone("kept"))
    assert deletions(harness) == set()

    await harness.add_references(merged())

    assert deletions(harness) == {"o-1"}


async def test_an_older_merge_that_is_read_again_changes_nothing(harness: EnricherHarness) -> None:
    first, second = merged(into="first"), merged(into="second")
    records = [contact_record("first"), contact_record("second"), first, second, tombstone()]
    await harness.add_references(*records)
    await harness.handle(WriterFixture("o-1").register(order_of_contact("loser")))

    await harness.add_references(*records)
    await harness.handle(WriterFixture("o-2").register(order_of_contact("loser")))

    assert [await contact_of(harness, it) for it in ("o-1", "o-2")] == ["second", "second"]
    assert deletions(harness) == set()


@pytest.mark.parametrize("writes", range(9))
async def test_a_crash_between_any_two_writes_of_a_merge_or_its_tombstone_loses_no_order(
    make_harness: MakeHarness, writes: int
) -> None:
    for name in ("merge", "tombstone", "erasure"):
        harness = await make_harness()
        await harness.add_references(
            contact_record("kept"), contact_record("loser", email="l@x.se")
        )
        await harness.handle(WriterFixture("o-1").register(order_of_contact("l@x.se", "Email")))
        batch = [merged(email="l@x.se")]
        if name != "merge":
            await harness.add_references(*batch)
            batch = [tombstone("kept" if name == "erasure" else "loser")]

        with suppress(WorkerDied):
            await harness.handle_references_until_death(batch, writes)
        await harness.handle_references(batch)

        erased = name == "erasure"
        assert deletions(harness) == ({"o-1"} if erased else set())
        assert erased or await contact_of(harness) == "kept"


async def test_an_event_that_meets_a_merge_halfway_leaves_no_link_to_the_merged_contact(
    make_harness: MakeHarness,
) -> None:
    for steps in range(0, 14, 2):
        harness = await make_harness()
        await harness.add_references(contact_record("kept"), contact_record("loser"))
        order = WriterFixture("o-1").register(order_of_contact("loser"))
        await harness.store([order])
        left = steps

        async def before(_: str, harness: EnricherHarness = harness) -> None:
            nonlocal left
            left -= 1
            if left == -1:
                await harness.add_references(merged(), tombstone())

        database = InterceptedDatabase(harness.database, before)
        await harness.event_handler(database)([read_back(order.event)], NOW)
        if left >= 0:
            await harness.add_references(merged(), tombstone())

        assert await contact_of(harness) == "kept", steps
        assert deletions(harness) == set()


async def test_a_delivery_is_recorded_for_whom_its_contact_counts_as(
    harness: EnricherHarness,
) -> None:
    """Its action was published before the merge, and is read after the tombstone."""
    await harness.add_references(contact_record("kept"), merged("contact-1"))
    await harness.add_references(tombstone("contact-1"))
    deliveries = delivery_store(harness)

    await deliveries.record(received_actions(1), NOW)
    [recorded] = await harness.database[ACTION_DELIVERIES].find().to_list()
    assert recorded["contactId"] == "kept"

    erased = reference_record(CONTACTS.name, "kept", None, at=ASKED_AT + timedelta(seconds=1))
    await harness.add_references(erased)
    await deliveries.record(received_actions(1), NOW)
    redacted = await harness.database[ACTION_DELIVERIES].find().to_list()
    assert [it["state"] for it in redacted] == ["dropped", "dropped"]
    assert not [it for it in redacted if {"contactId", "record", "body"} & set(it)]


def delivery_store(harness: EnricherHarness) -> DeliveryStore:
    return DeliveryStore(harness.database.client, harness.database.name, KEYS.secret)


async def test_a_merged_contactid_answers_for_the_survivor(harness: EnricherHarness) -> None:
    await harness.add_references(contact_record("kept"), merged(), tombstone())
    client, name = harness.database.client, harness.database.name
    reads = ReadStore(client, name, KEYS.secret)

    assert [await reads.survivor(it) for it in ("loser", "kept", "c-9")] == ["kept", "kept", "c-9"]
    assert await ReadStore(client, name, b"").survivor("loser") == "loser"


def test_a_merge_keeps_the_orders_until_the_survivor_is_erased(
    stack: RunningStack, tmp_path: Path
) -> None:
    """The whole system: merge, tombstone, and the survivor's erasure."""
    api = ApiClient(stack)
    kept, loser = contact_body(), contact_body()
    load(stack, tmp_path, kept, loser)
    order = order_body(contact=matching(loser))
    api.settled(api.registered(order))
    assert api.order(order["orderId"]).json()["contactId"] == loser["contactId"]

    load(stack, tmp_path, loser | {"mergedInto": kept["contactId"]})
    until(lambda: contact_by_api(api, order) == kept["contactId"], of="the merge")
    refused = stack.orders("privacy", "erase", loser["contactId"], check=False)
    assert (refused.returncode, kept["contactId"] in refused.stderr) == (1, True)
    gone = RawRecord(loser["contactId"], None, {})
    publish_records(stack.kafka, [gone], topic=CONTACTS.name)
    until(lambda: lag(stack.kafka, "enricher", CONTACTS.name) == 0, of="the tombstone")
    late = order_body(contact=matching(loser))
    api.settled(api.registered(late))

    for contact in (kept, loser):
        found = orders_of(api, contact)
        assert {it["orderId"] for it in found} == {order["orderId"], late["orderId"]}
        assert {it["contactId"] for it in found} == {kept["contactId"]}
        answer = api.order(order["orderId"], contactId=contact["contactId"])
        assert answer.status_code == 200
    assert api.order(order["orderId"], contactId="another").status_code == 404

    stack.orders("privacy", "erase", kept["contactId"])
    for it in (order, late):
        assert api.order(it["orderId"]).status_code == 404


def contact_by_api(api: ApiClient, order: Json) -> str | None:
    found: str | None = api.order(order["orderId"]).json().get("contactId")
    return found


def load(stack: RunningStack, folder: Path, *contacts: Json) -> None:
    file = folder / "contacts.ndjson"
    file.write_text("\n".join(map(json.dumps, contacts)))
    stack.orders("reference", "load", "--wait", str(file))


def orders_of(api: ApiClient, contact: Json) -> list[Json]:
    query = {"contactId": contact["contactId"]}
    items: list[Json] = api.client.get(f"{api.base}/orders", params=query).json()["items"]
    return items
