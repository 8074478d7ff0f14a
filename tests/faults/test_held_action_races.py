"""Two workers on one order: one is interrupted before each of its calls while the other works."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from order_contracts.topics import ACTIONS
from order_runtime.kafka.records import Outgoing, Record
from order_runtime.mongo.client import HELD, INTEGRATION_LOG
from support.builders.bodies import unique
from support.builders.writer_fixtures import WriterFixture, WrittenCommand, read_back
from support.fakes.intercepted_database import InterceptedDatabase
from support.fakes.memory_kafka import MemoryPublisher
from support.harness.enricher_harness import (
    CONFIRM,
    NOW,
    EnricherHarness,
    article_record,
    contact_record,
    order_of_contact,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

CALLS = 70  # more than any handler makes
Meanwhile = Callable[[], Awaitable[None]]


class Interruption:
    """Awaits *meanwhile* before the call numbered *at*; `reached` says whether there was one."""

    def __init__(self, at: int, meanwhile: Meanwhile) -> None:
        self._left = at
        self._meanwhile = meanwhile
        self.reached = False

    async def before(self, _: str) -> None:
        self._left -= 1
        if self._left < 0 and not self.reached:
            self.reached = True
            await self._meanwhile()


class InterruptedPublisher(MemoryPublisher):
    """Is interrupted before it publishes."""

    def __init__(self, publisher: MemoryPublisher, interruption: Interruption) -> None:
        super().__init__(publisher.records)
        self._interruption = interruption

    async def publish_all(self, records: Sequence[Outgoing]) -> None:
        await self._interruption.before("publish_all")
        await super().publish_all(records)


class Race:
    """One order that waits for its contact, and a later command that outdates its action."""

    def __init__(
        self, harness: EnricherHarness, outdate: Callable[[WriterFixture], WrittenCommand]
    ) -> None:
        self.harness = harness
        self.key = unique("contact")
        self.writer = WriterFixture(unique("order"))
        self.order = self.writer.register(order_of_contact(self.key), CONFIRM)
        self.later = outdate(self.writer)

    @property
    def first(self) -> Record:
        return read_back(self.order.event)

    @property
    def event(self) -> Record:
        return read_back(self.later.event)

    async def outdate_and_handle(self) -> None:
        await self.store_later()
        await self.harness.handle_events([self.event])

    async def store_later(self) -> None:
        await self.harness.store([self.later])

    async def contact_arrives(self) -> None:
        await self.harness.add_references(contact_record(self.key))

    def interrupted(self, interruption: Interruption) -> tuple[EnricherHarness, Any]:
        publisher = InterruptedPublisher(self.harness.publisher, interruption)
        slow = EnricherHarness(self.harness.database, publisher)
        return slow, InterceptedDatabase(self.harness.database, interruption.before)

    async def assert_one_end(self) -> None:
        """Check that the action was either fired or dropped, and that all documents agree."""
        held = await self.harness.database[HELD].find_one({"jobId": self.order.job_id})
        fired = {it["jobId"] for it in self.harness.publisher.on(ACTIONS.name)}
        log = {"jobId": self.order.job_id, "code": "ActionDropped"}
        dropped = await self.harness.database[INTEGRATION_LOG].count_documents(log)
        _, action = await self.harness.stages(self.order)
        assert action in {"fired", "dropped"}
        assert (self.order.job_id in fired, bool(dropped)) == (action == "fired", action != "fired")
        if held is not None:
            assert (held["state"], "untoldSince" in held) == (action, False)


OUTDATE: dict[str, Callable[[WriterFixture], WrittenCommand]] = {
    "deleted": lambda writer: writer.delete(),
    "replaced": lambda writer: writer.replace(order_of_contact("nobody-else")),
    "cancelled": lambda writer: writer.cancel(),
    "asked-again": lambda writer: writer.change_status(CONFIRM),
}


@pytest.mark.parametrize("outdate", OUTDATE.values(), ids=OUTDATE)
async def test_a_contact_arrives_while_its_order_moves_on(
    harness: EnricherHarness, outdate: Callable[[WriterFixture], WrittenCommand]
) -> None:
    """The later event is handled before each call of the contact's arrival."""
    await harness.add_references(article_record())
    for at in range(CALLS):
        race = Race(harness, outdate)
        await harness.handle(race.order)
        interruption = Interruption(at, race.outdate_and_handle)
        slow, database = race.interrupted(interruption)
        await slow.add_references(contact_record(race.key), database=database)
        if not interruption.reached:
            break
        await race.assert_one_end()
    assert 8 < at < CALLS - 1


@pytest.mark.parametrize("outdate", OUTDATE.values(), ids=OUTDATE)
async def test_an_order_moves_on_in_the_store_before_its_event_is_handled(
    harness: EnricherHarness, outdate: Callable[[WriterFixture], WrittenCommand]
) -> None:
    await harness.add_references(article_record())
    for at in range(CALLS):
        race = Race(harness, outdate)
        await harness.handle(race.order)
        interruption = Interruption(at, race.store_later)
        slow, database = race.interrupted(interruption)
        await slow.add_references(contact_record(race.key), database=database)
        if not interruption.reached:
            break
        await harness.handle_events([race.event])
        await race.assert_one_end()
    assert 8 < at < CALLS - 1


@pytest.mark.parametrize("outdate", OUTDATE.values(), ids=OUTDATE)
async def test_an_order_moves_on_while_its_contact_arrives(
    harness: EnricherHarness, outdate: Callable[[WriterFixture], WrittenCommand]
) -> None:
    """The contact's arrival is handled before each call of the later event."""
    await harness.add_references(article_record())
    for at in range(CALLS):
        race = Race(harness, outdate)
        await harness.handle(race.order)
        await race.store_later()
        interruption = Interruption(at, race.contact_arrives)
        slow, database = race.interrupted(interruption)
        await slow.event_handler(database)([race.event], NOW)
        if not interruption.reached:
            break
        await race.assert_one_end()
    assert 5 < at < CALLS - 1


ARRIVALS: dict[str, Callable[[Race], Awaitable[None]]] = {
    "known": lambda race: race.contact_arrives(),
    "unknown": lambda race: race.harness.store_references_only(),
}


@pytest.mark.parametrize("before", ARRIVALS.values(), ids=ARRIVALS)
@pytest.mark.parametrize("after", ARRIVALS.values(), ids=ARRIVALS)
@pytest.mark.parametrize("outdate", OUTDATE.values(), ids=OUTDATE)
async def test_a_worker_wakes_when_another_one_has_done_its_work(
    harness: EnricherHarness,
    outdate: Callable[[WriterFixture], WrittenCommand],
    before: Callable[[Race], Awaitable[None]],
    after: Callable[[Race], Awaitable[None]],
) -> None:
    """It was suspended before one call; the order has changed, perhaps its contact has come."""
    await harness.add_references(article_record())
    for at in range(CALLS):
        race = Race(harness, outdate)
        await before(race)
        await harness.store([race.order])

        async def meanwhile(race: Race = race) -> None:
            await race.store_later()
            await harness.handle_events([race.first])
            await after(race)
            await harness.handle_events([race.event])

        interruption = Interruption(at, meanwhile)
        slow, database = race.interrupted(interruption)
        await slow.event_handler(database)([race.first], NOW)
        if not interruption.reached:
            break
        await race.contact_arrives()
        await race.assert_one_end()
    assert 5 < at < CALLS - 1


@pytest.mark.parametrize("first", ["order", "contact"])
async def test_a_contact_and_its_order_come_together(harness: EnricherHarness, first: str) -> None:
    """Whichever is handled second sees the first: the order is linked, its action fires once."""
    await harness.add_references(article_record())
    for at in range(CALLS):
        writer, key = WriterFixture(unique("order")), unique("contact")
        order = writer.register(order_of_contact(key), CONFIRM)
        await harness.store([order])
        record = read_back(order.event)

        async def arrives(key: str = key) -> None:
            await harness.add_references(contact_record(key))

        async def comes(record: Record = record) -> None:
            await harness.handle_events([record])

        interruption = Interruption(at, arrives if first == "order" else comes)
        slow = EnricherHarness(
            harness.database, InterruptedPublisher(harness.publisher, interruption)
        )
        database = InterceptedDatabase(harness.database, interruption.before)
        if first == "order":
            await slow.event_handler(database)([record], NOW)
        else:
            await slow.add_references(contact_record(key), database=database)
        if not interruption.reached:
            break
        assert await harness.stages(order) == ("done", "fired")
        assert {it["jobId"] for it in harness.publisher.on(ACTIONS.name)} >= {order.job_id}
        link = await harness.link(writer.order_id)
        assert link is not None
        assert (link["contactId"], "waitsFor" in link) == (key, False)
        open_entries = {"orderId": writer.order_id, "resolvedAt": {"$exists": False}}
        assert await harness.database[INTEGRATION_LOG].count_documents(open_entries) == 0
    assert 3 < at < CALLS - 1
