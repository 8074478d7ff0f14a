"""A stored document that the enricher can't read costs the events and orders that need it alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from enricher.app.periodic_sweep import GRACE
from order_contracts.topics import ACTIONS, COMMANDS, CONTACTS, EVENTS_DLQ
from order_runtime.documents.document import UnreadableStored
from order_runtime.documents.erasures import id_key
from order_runtime.kafka.dead_letters import PREFIX
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import (
    AGREEMENTS,
    ENRICHMENTS,
    ERASURES,
    HELD,
    JOBS,
    LINKS,
    ORDERS,
    Document,
)
from order_runtime.mongo.client import (
    CONTACTS as CONTACT_DOCUMENTS,
)
from order_runtime.process.isolation import MAX_UNREADABLE, EverythingFails
from support.builders.writer_fixtures import (
    WriterFixture,
    WrittenCommand,
    read_back,
    reference_record,
)
from support.harness.enricher_harness import (
    CONFIRM,
    DAY,
    KEYS,
    NOW,
    EnricherHarness,
    article_record,
    contact_record,
    order_of_contact,
)

pytestmark = pytest.mark.stack

BAD = "o-2"
NEWER: Document = {"schema": 99}


@dataclass(frozen=True)
class Spoilt:
    """A document that can't be read any more, or not yet."""

    collection: str
    where: Document
    content: Document | None = None
    """What is set in it; None: it is all of a newer release."""

    async def plant(self, harness: EnricherHarness) -> list[Document]:
        """Spoil it; return what was stored before, to be given to `repair`."""
        before = await harness.database[self.collection].find(self.where).to_list()
        known = before or [{"_id": self.where["_id"]}]
        for document in known:
            spoilt = {**document, **self.content} if self.content else NEWER
            await harness.database[self.collection].replace_one(
                {"_id": document["_id"]}, {**spoilt, "_id": document["_id"]}, upsert=True
            )
        return before

    async def repair(self, harness: EnricherHarness, before: Sequence[Document]) -> None:
        await harness.database[self.collection].delete_many(self.where)
        for document in before:
            await harness.database[self.collection].replace_one(
                {"_id": document["_id"]}, document, upsert=True
            )


def contact_of(order_id: str) -> str:
    return order_id.replace("o", "c")


def id_hash(order_id: str) -> str:
    return KEYS.hashed(id_key(contact_of(order_id)))


def registered(*order_ids: str) -> list[WrittenCommand]:
    """Return orders, each of a contact of its own, with an action."""
    return [
        WriterFixture(it).register(order_of_contact(contact_of(it)), CONFIRM) for it in order_ids
    ]


async def three_registered(harness: EnricherHarness) -> list[WrittenCommand]:
    """Store three orders, the second of them BAD, with their contacts and their article."""
    orders = ["o-1", BAD, "o-3"]
    await harness.add_references(*(contact_record(contact_of(it)) for it in orders))
    await harness.add_references(article_record())
    written = registered(*orders)
    await harness.store(written)
    return written


OF_AN_EVENT = [
    Spoilt(ORDERS, {"_id": BAD}),
    Spoilt(ORDERS, {"_id": BAD}, {"contactVersion": "one"}),
    Spoilt(ORDERS, {"_id": BAD}, {"order": {"contact": {"matchKeyType": "Telepathy"}}}),
    Spoilt(LINKS, {"_id": BAD}),
    Spoilt(JOBS, {"orderId": BAD}, {"agreed": "later"}),
    Spoilt(JOBS, {"orderId": BAD}, {"enrichment": 7}),
    Spoilt(CONTACT_DOCUMENTS, {"_id": id_hash(BAD)}, {"contactId": 5}),
    Spoilt(ERASURES, {"_id": id_hash(BAD)}),
]


def name_of(spoilt: Spoilt) -> str:
    return f"{spoilt.collection}-{next(iter(spoilt.content), '') if spoilt.content else 'newer'}"


@pytest.mark.parametrize("spoilt", OF_AN_EVENT, ids=name_of)
async def test_an_event_whose_document_can_not_be_read_is_a_dead_letter_and_can_be_replayed(
    harness: EnricherHarness, spoilt: Spoilt
) -> None:
    written = await three_registered(harness)
    before = await spoilt.plant(harness)

    await harness.handle_events([read_back(it.event) for it in written])

    assert [await harness.stages(it) for it in (written[0], written[2])] == [("done", "fired")] * 2
    [letter] = [it for it in harness.publisher.records if it.topic == EVENTS_DLQ.name]
    headers = dict(letter.headers)
    assert (letter.key, letter.value) == (BAD.encode(), written[1].event.value)
    assert headers[f"{PREFIX}exception.class.name"] == b"InternalError"
    assert spoilt.collection.encode() in (headers[f"{PREFIX}exception.message"] or b"")

    await spoilt.repair(harness, before)
    again = Record("orders.events", 0, 9, NOW, letter.key, letter.value, letter.headers)
    await harness.handle_events([again])

    assert await harness.stages(written[1]) == ("done", "fired")
    assert len(harness.publisher.on(ACTIONS.name)) == 3


@pytest.mark.parametrize(
    ("collection", "content"), [(AGREEMENTS, {"end": "perhaps"}), (ENRICHMENTS, {"state": 7})]
)
async def test_an_event_whose_job_was_begun_and_can_not_be_read_costs_itself_alone(
    harness: EnricherHarness, collection: str, content: Document
) -> None:
    written = await three_registered(harness)
    bad = {"_id": written[1].job_id, **content}
    await harness.database[collection].insert_one(dict(bad))

    await harness.handle_events([read_back(it.event) for it in written])

    assert [await harness.stages(it) for it in (written[0], written[2])] == [("done", "fired")] * 2
    [letter] = [it for it in harness.publisher.records if it.topic == EVENTS_DLQ.name]
    assert letter.key == BAD.encode()
    assert await harness.database[collection].find_one({"_id": bad["_id"]}) == bad


OF_A_WAITING_ORDER = [
    Spoilt(ORDERS, {"_id": BAD}),
    Spoilt(ORDERS, {"_id": BAD}, {"version": "x"}),
    Spoilt(LINKS, {"_id": BAD}, {"contactVersion": None}),
    Spoilt(LINKS, {"_id": BAD}, {"missing": "mug"}),
    Spoilt(HELD, {"orderId": BAD}, {"state": "thinking"}),
    Spoilt(HELD, {"orderId": BAD}, {"action": 5}),
    Spoilt(JOBS, {"orderId": BAD}, {"action": "ConfirmOrder"}),
]


@pytest.mark.parametrize("spoilt", OF_A_WAITING_ORDER, ids=name_of)
async def test_a_contact_that_arrives_heals_the_others_and_the_sweep_the_one_once_it_can_be_read(
    harness: EnricherHarness, spoilt: Spoilt
) -> None:
    orders = ["o-1", BAD, "o-3"]
    await harness.add_references(article_record())
    written = [WriterFixture(it).register(order_of_contact("c-1"), CONFIRM) for it in orders]
    await harness.handle(*written)
    before = await spoilt.plant(harness)

    await harness.add_references(contact_record())

    assert [await harness.stages(it) for it in (written[0], written[2])] == [("done", "fired")] * 2
    assert len(harness.publisher.on(ACTIONS.name)) == 2

    await spoilt.repair(harness, before)
    sweep = harness.sweeper()
    await sweep(NOW)
    await sweep(NOW + GRACE)

    assert await harness.stages(written[1]) == ("done", "fired")
    assert len(harness.publisher.on(ACTIONS.name)) == 3


@pytest.mark.parametrize("spoilt", OF_A_WAITING_ORDER, ids=name_of)
async def test_the_sweep_drops_what_is_over_but_for_what_it_can_not_read(
    harness: EnricherHarness, spoilt: Spoilt
) -> None:
    """And it comes to an end, although that stays as it is."""
    written = registered("o-1", BAD, "o-3")
    await harness.handle(*written)
    await spoilt.plant(harness)

    await harness.sweeper()(NOW + 2 * DAY)

    states = {it["orderId"]: it["state"] async for it in harness.database[HELD].find()}
    assert (states["o-1"], states["o-3"]) == ("dropped", "dropped")


@pytest.mark.parametrize(
    "spoilt",
    [
        Spoilt(JOBS, {"orderId": BAD}, {"fingerprint": None}),
        Spoilt(JOBS, {"orderId": BAD}, {"agreed": 1}),
        Spoilt(ORDERS, {"_id": BAD}),
        Spoilt(ORDERS, {"_id": BAD}, {"size": "large"}),
        Spoilt(LINKS, {"_id": BAD}),
    ],
    ids=name_of,
)
async def test_the_sweep_handles_the_jobs_that_it_can_read(
    harness: EnricherHarness, spoilt: Spoilt
) -> None:
    written = await three_registered(harness)
    before = await spoilt.plant(harness)
    sweep, later = harness.sweeper(), NOW + timedelta(hours=1)

    await sweep(later)
    await sweep(later + GRACE)

    assert [await harness.stages(it) for it in (written[0], written[2])] == [("done", "fired")] * 2

    await spoilt.repair(harness, before)
    await sweep(later + 2 * GRACE)
    await sweep(later + 3 * GRACE)

    assert await harness.stages(written[1]) == ("done", "fired")


@pytest.mark.parametrize(
    "spoilt",
    [Spoilt(ORDERS, {"_id": BAD}), Spoilt(LINKS, {"_id": BAD}, {"missing": 1})],
    ids=name_of,
)
async def test_an_erasure_deletes_the_orders_that_it_can_read_and_comes_to_an_end(
    harness: EnricherHarness, spoilt: Spoilt
) -> None:
    await harness.add_references(contact_record(), article_record())
    written = [
        WriterFixture(it).register(order_of_contact("c-1"), None) for it in ("o-1", BAD, "o-3")
    ]
    await harness.handle(*written)
    before = await spoilt.plant(harness)
    tombstone = reference_record(CONTACTS.name, "c-1", None, at=NOW)

    await harness.add_references(tombstone)
    deleted = {it["orderId"] for it in harness.publisher.on(COMMANDS.name)}
    await spoilt.repair(harness, before)
    await harness.add_references(replace(tombstone, offset=tombstone.offset + 1))

    assert deleted == {"o-1", "o-3"}
    assert {it["orderId"] for it in harness.publisher.on(COMMANDS.name)} == {"o-1", BAD, "o-3"}


@pytest.mark.parametrize(
    "spoilt",
    [
        Spoilt(CONTACT_DOCUMENTS, {"_id": id_hash(BAD)}),
        Spoilt(CONTACT_DOCUMENTS, {"_id": id_hash(BAD)}, {"position": "first"}),
        Spoilt(CONTACT_DOCUMENTS, {"_id": id_hash(BAD)}, {"keys": 5, "formerKeys": "none"}),
        Spoilt(ERASURES, {"_id": id_hash(BAD)}),
    ],
    ids=name_of,
)
async def test_a_record_replaces_what_its_topic_made_and_can_not_be_read(
    harness: EnricherHarness, spoilt: Spoilt
) -> None:
    await harness.add_references(contact_record(contact_of(BAD)), article_record())
    await spoilt.plant(harness)

    await harness.handle_references([contact_record(contact_of(BAD)), contact_record("c-1")])
    await harness.handle(*registered("o-1"))
    tombstone = reference_record(CONTACTS.name, contact_of(BAD), None)
    await harness.handle_references([tombstone])

    contact = await harness.database[CONTACT_DOCUMENTS].find_one({"_id": id_hash(BAD)})
    assert contact is not None
    assert "deletedAt" in contact
    erasure = await harness.database[ERASURES].find_one({"_id": id_hash(BAD)})
    assert erasure is not None
    assert isinstance(erasure["at"], datetime)


async def test_where_no_order_can_be_read_the_enricher_stops_and_nothing_is_a_dead_letter(
    harness: EnricherHarness,
) -> None:
    """A release that reads nothing must not turn the day's events into dead letters."""
    written = registered(*(f"o-{number}" for number in range(MAX_UNREADABLE)))
    await harness.store(written)
    await harness.database[ORDERS].update_many({}, {"$set": {"version": "x"}})

    with pytest.raises(EverythingFails) as stopped:
        await harness.handle_events([read_back(it.event) for it in written])

    assert isinstance(stopped.value.__cause__, UnreadableStored)
    assert harness.publisher.records == []
