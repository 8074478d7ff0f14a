"""The enricher on a real database: what it writes, and that doing it again changes nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from pymongo.asynchronous.database import AsyncDatabase

from enricher import references
from enricher.__main__ import ensure_indexes
from enricher.enrich import Enrich
from order_contracts.topics import ACTIONS, ARTICLES, CONTACTS, ENRICHED, EVENTS_DLQ, STORES
from order_runtime.jobs import stages_of
from order_runtime.mongo import CODEC, HELD, INTEGRATION_LOG, JOBS, LINKS, Document, async_client
from order_runtime.records import Outgoing, Record
from support.builders import Json, line, order_body, unique
from support.stack import RunningStack
from support.written import AT, Writer, Written, reference, taken

CONFIRM: Json = {"action": "ConfirmOrder", "data": {"a.b": {"$set": 1}}}
NOW = AT + timedelta(minutes=1)
DAY = timedelta(hours=24)
WRITES_OF_A_BATCH = 8
WRITTEN = (JOBS, LINKS, HELD, INTEGRATION_LOG)


class Died(Exception):
    """The process, at this point."""


@dataclass
class Topics:
    """Takes what is published; dies instead at the call that it is told to."""

    records: list[Outgoing] = field(default_factory=list)
    dies_at: int | None = None
    calls: int = 0

    async def publish_all(self, records: Sequence[Outgoing]) -> None:
        self.calls += 1
        if self.calls == self.dies_at:
            raise Died
        self.records.extend(records)

    def ids(self) -> list[bytes]:
        return [dict(record.headers)["ce_id"] or b"" for record in self.records]

    def on(self, topic: str) -> list[Any]:
        return [json.loads(it.value or b"null") for it in self.records if it.topic == topic]


class Mortal:
    """A database on which the process dies before its n-th write."""

    def __init__(self, database: AsyncDatabase[Document], writes: int) -> None:
        self._database = database
        self._left = writes

    def __getitem__(self, name: str) -> Any:
        return _MortalCollection(self._database[name], self)

    def live(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise Died


class _MortalCollection:
    def __init__(self, collection: Any, database: Mortal) -> None:
        self._collection = collection
        self._database = database

    def find(self, *args: Any) -> Any:
        return self._collection.find(*args)

    async def bulk_write(self, *args: Any, **options: Any) -> Any:
        self._database.live()
        return await self._collection.bulk_write(*args, **options)

    async def update_many(self, *args: Any) -> Any:
        self._database.live()
        return await self._collection.update_many(*args)


@dataclass
class Place:
    """A database of its own, and the enricher's parts on it."""

    database: AsyncDatabase[Document]
    topics: Topics

    async def knows(self, *records: Record) -> None:
        for record in records:
            await references.keep(self.database, [record])

    async def store(self, written: Iterable[Written]) -> None:
        """Do to the database what the order-writer does."""
        for it in written:
            await self.database["orders"].replace_one(
                {"_id": it.order["_id"]}, it.order, upsert=True
            )
            await self.database[JOBS].insert_one(dict(it.job))

    async def enrich(self, records: Sequence[Record], *, dying: int | None = None) -> None:
        database: Any = self.database if dying is None else Mortal(self.database, dying)
        await Enrich(database, self.topics, DAY)(records, NOW)

    async def handle(self, *written: Written) -> list[Record]:
        await self.store(written)
        records = [taken(it.event) for it in written]
        await self.enrich(records)
        return records

    async def dump(self) -> dict[str, list[Document]]:
        """Return all that the enricher writes, in an order that depends on nothing."""
        return {name: await self.database[name].find().sort("_id").to_list() for name in WRITTEN}

    async def codes(self) -> list[tuple[str, str | None]]:
        entries = await self.database[INTEGRATION_LOG].find().sort("code").to_list()
        return [(it["code"], it.get("reference")) for it in entries]

    async def stages(self, written: Written) -> tuple[str, str]:
        job = await self.database[JOBS].find_one({"_id": written.job_id})
        assert job is not None
        stages = stages_of(job)
        return stages.enrichment, stages.action

    async def link(self, order_id: str) -> Document | None:
        return await self.database[LINKS].find_one({"_id": order_id})


Make = Callable[[], Awaitable[Place]]


@pytest.fixture
async def make(stack: RunningStack) -> AsyncIterator[Make]:
    """Make places, and remove them after the test."""
    made: list[str] = []
    async with async_client(stack.mongo, "test") as client:

        async def place() -> Place:
            made.append(unique("enricher"))
            database = client.get_database(made[-1], codec_options=CODEC)
            await ensure_indexes(database)
            return Place(database, Topics())

        yield place
        for name in made:
            await client.drop_database(name)


@pytest.fixture
async def place(make: Make) -> Place:
    return await make()


def contact(identity: str = "c-1", **keys: str) -> Record:
    value = json.dumps({"contactId": identity, **keys}).encode()
    return reference(CONTACTS.name, identity, value)


def article(sku: str = "mug") -> Record:
    return reference(ARTICLES.name, sku, json.dumps({"sku": sku}).encode())


def body(key: str = "c-1", kind: str = "ContactId", **deviations: Any) -> Json:
    named = {"matchKey": key, "matchKeyType": kind}
    return order_body(contact=named, **{"lines": [line(sku="mug")], **deviations})


KNOWN = (contact(), article())


async def test_an_order_is_connected_checked_and_its_action_requested(place: Place) -> None:
    await place.knows(contact(email="Ann@example.com"), article())
    order = Writer("o-1").register(body("ann@EXAMPLE.com", "Email"), CONFIRM)

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


async def test_what_is_missing_is_said_in_the_log_and_the_action_held(place: Place) -> None:
    order = Writer("o-1").register(body("ann@x.se", "Email", externalStoreId="shop"), CONFIRM)

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


async def test_a_contact_that_was_deleted_is_unknown(place: Place) -> None:
    await place.knows(contact(), article(), reference(CONTACTS.name, "c-1", None))
    order = Writer("o-1").register(body())

    await place.handle(order)

    assert await place.codes() == [("ContactMissing", "ContactId")]


async def test_an_older_reference_never_overwrites_a_newer_one_nor_resurrects(
    place: Place,
) -> None:
    """A topic read again from its start gives old values first."""
    old, new, gone = contact(email="old@x.se"), contact(email="new@x.se"), contact("c-2")
    deleted = reference(CONTACTS.name, "c-2", None)

    await place.knows(old, new, gone, deleted)
    before = await place.database["contacts"].find().sort("_id").to_list()
    await place.knows(old, gone)

    assert await place.database["contacts"].find().sort("_id").to_list() == before
    assert "Email:new@x.se" in before[0]["keys"]
    assert set(before[1]) == {"_id", "deletedAt", "position"}


async def test_a_batch_of_references_keeps_the_last_of_each_and_passes_over_what_is_none(
    place: Place,
) -> None:
    bad = reference(STORES.name, "s-1", b"{")
    good = [
        reference(STORES.name, "s-1", json.dumps({"externalStoreId": "s-1", "name": it}).encode())
        for it in ("a", "b")
    ]

    await references.keep(place.database, [*good, bad])

    [store] = await place.database["stores"].find().to_list()
    assert store["name"] == "b"


async def test_a_replay_from_the_start_changes_nothing_and_says_nothing_new(place: Place) -> None:
    """Even though contact and articles are known by now that weren't the first time."""
    day = Day.of_every_kind()
    await day.happens(place)
    before, told = await place.dump(), set(place.topics.ids())
    await place.knows(contact("c-2"), article("cup"))

    await place.enrich(day.records)
    for record in day.records:
        await place.enrich([record])

    assert await place.dump() == before
    assert set(place.topics.ids()) == told


@pytest.mark.parametrize("writes", range(10))
async def test_a_crash_between_any_two_writes_loses_neither_message_nor_effect(
    make: Make, writes: int
) -> None:
    """The batch is read again, and ends as if nothing had happened."""
    calm, stormy, day = await make(), await make(), Day.of_every_kind()
    await day.happens(calm)

    died = await day.happens(stormy, dying=writes)

    assert died is (writes < WRITES_OF_A_BATCH)
    assert await stormy.dump() == await calm.dump()
    assert set(stormy.topics.ids()) == set(calm.topics.ids())


async def test_a_crash_instead_of_publishing_loses_no_message(make: Make) -> None:
    calm, stormy, day = await make(), await make(), Day.of_every_kind()
    await day.happens(calm)

    stormy.topics.dies_at = 2
    assert await day.happens(stormy)

    assert await stormy.dump() == await calm.dump()
    assert set(stormy.topics.ids()) == set(calm.topics.ids())


async def test_what_was_decided_before_a_crash_is_not_judged_anew_after_it(place: Place) -> None:
    """Else the log would name a contact as missing that its own order is linked to."""
    order = Writer("o-1").register(body("c-2", lines=[line(sku="cup")]), CONFIRM)
    await place.store([order])
    record = taken(order.event)
    place.topics.dies_at = 1
    with pytest.raises(Died):
        await place.enrich([record])

    await place.knows(contact("c-2"), article("cup"))
    await place.enrich([record])

    assert await place.stages(order) == ("contactMissing", "held")
    assert place.topics.on(ACTIONS.name) == []


async def test_a_deletion_removes_the_link_and_drops_what_was_held(place: Place) -> None:
    writer = Writer("o-1")
    order = writer.register(body("nobody"), CONFIRM)
    await place.handle(order)

    await place.handle(writer.delete())

    assert await place.link("o-1") is None
    assert await place.stages(order) == ("contactMissing", "dropped")
    held = await place.database[HELD].find_one({"orderId": "o-1"})
    assert held is not None
    assert held["state"] == "dropped"
    assert ("ActionDropped", None) in await place.codes()


async def test_a_replacement_drops_what_was_held_for_the_order_before_it(place: Place) -> None:
    await place.knows(contact(), article())
    writer = Writer("o-1")
    first = writer.register(body("nobody"), CONFIRM)
    await place.handle(first)

    second = writer.replace(body(), CONFIRM)
    await place.handle(second)

    assert await place.stages(first) == ("contactMissing", "dropped")
    assert await place.stages(second) == ("done", "fired")


async def test_the_late_event_of_a_former_life_touches_nothing_of_the_present_one(
    place: Place,
) -> None:
    await place.knows(contact(), contact("c-2"), article())
    writer = Writer("o-1")
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
    place: Place,
) -> None:
    writer = Writer("o-1")
    first, deleted = writer.register(body("nobody")), writer.delete()
    second = writer.register(body("nobody"), CONFIRM)
    await place.store([first, deleted])
    await place.handle(second)

    await place.enrich([taken(deleted.event)])

    assert await place.stages(second) == ("contactMissing", "held")


async def test_an_action_follows_the_link_that_its_own_batch_made(place: Place) -> None:
    await place.knows(contact(), article())
    writer = Writer("o-1")
    registered, asked = writer.register(body()), writer.ask(CONFIRM)

    await place.handle(registered, asked)

    assert await place.stages(asked) == ("done", "fired")


async def test_what_is_no_event_becomes_a_dead_letter_and_the_others_are_handled(
    place: Place,
) -> None:
    await place.knows(contact(), article())
    order = Writer("o-1").register(body())
    await place.store([order])
    bad = taken(Outgoing("orders.events", b"o-2", b"{"))

    await place.enrich([bad, taken(order.event)])

    assert await place.stages(order) == ("done", "none")
    [letter] = [it for it in place.topics.records if it.topic == EVENTS_DLQ.name]
    assert (letter.key, letter.value) == (b"o-2", b"{")


async def test_a_job_that_is_past_its_retention_is_not_made_again(place: Place) -> None:
    await place.knows(contact(), article())
    order = Writer("o-1").register(body())
    await place.store([order])
    await place.database[JOBS].delete_one({"_id": order.job_id})

    await place.enrich([taken(order.event)])

    assert await place.database[JOBS].find_one({"_id": order.job_id}) is None


@dataclass
class Day:
    """Two batches of events in which everything happens that can happen to an order."""

    first: list[Written]
    second: list[Written]
    records: list[Record] = field(default_factory=list)

    @classmethod
    def of_every_kind(cls) -> Day:
        acted, replaced, deleted, late = (Writer(f"o-{it}") for it in range(4))
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

    async def happens(self, place: Place, *, dying: int | None = None) -> bool:
        """Let it happen; return whether the second batch had to be handled twice."""
        await place.knows(*KNOWN)
        await place.store(self.first)
        await place.enrich(self.records[: len(self.first)])
        await place.store(self.second)
        batch = self.records[len(self.first) :]
        try:
            await place.enrich(batch, dying=dying)
        except Died:
            await place.enrich(batch)
            return True
        return False
