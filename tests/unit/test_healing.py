"""The healing queue without its database: what an item heals, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from enricher.adapters.healing_queue import HealingQueue
from enricher.app.healing_loop import HealingLoop
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.healing import Cursor, HealingItem, Stage, Walk, item_id, item_of_key
from order_contracts.topics import ARTICLES, CONTACTS, STORES
from support.builders.writer_fixtures import AT

KEYS = ContactKeys(b"secret")
CONTACT = HealingItem(CONTACTS.name, "hash", 3, AT)
POSITION = {"topic": "t", "partition": 1, "offset": 2, "at": AT}


@pytest.mark.parametrize(
    ("item", "document", "expected"),
    [
        (HealingItem(ARTICLES.name, "mug", 1, AT), None, {"Article:mug"}),
        (HealingItem(STORES.name, "shop", 1, AT), {"_id": "shop"}, {"Store:shop"}),
        (CONTACT, None, {"Survivor:hash"}),
        (
            CONTACT,
            {"_id": "hash", "keys": ["Email:a"], "formerKeys": ["Email:b"]},
            {"Survivor:hash", "Email:a", "Email:b"},
        ),
        (replace(CONTACT, contact_id="c-1"), None, {"Survivor:hash", "ContactId:c-1"}),
    ],
)
def test_an_item_heals_the_orders_that_wait_for_a_key_of_its_document(
    item: HealingItem, document: dict[str, Any] | None, expected: set[str]
) -> None:
    assert item.keys(document) == expected


@pytest.mark.parametrize(
    ("key", "item"),
    [
        ("Article:mug", f"{ARTICLES.name}/mug"),
        ("Store:Article:x", f"{STORES.name}/Article:x"),
        ("Survivor:abc", f"{CONTACTS.name}/abc"),
        ("ContactId:c-1", f"{CONTACTS.name}/{KEYS.hashed('ContactId:c-1')}"),
        ("Email:ann@x.se", None),
    ],
)
def test_the_item_of_a_key_is_known_where_the_key_says_which_document_it_is(
    key: str, item: str | None
) -> None:
    assert item_of_key(key, KEYS) == item


def test_a_walk_forgets_the_former_keys_of_the_document_that_its_record_wrote() -> None:
    """A later document's are kept: its writer has yet to note whose they were."""
    item = replace(CONTACT, position=POSITION)

    assert item.begun({"_id": "hash", "position": dict(POSITION)}).walk == Walk(3, POSITION)
    assert item.begun({"_id": "hash", "position": {**POSITION, "offset": 3}}).walk == Walk(3)
    assert item.begun(None).walk == Walk(3)
    assert CONTACT.begun({"_id": "hash", "position": POSITION}).walk == Walk(3)
    assert (CONTACT.stage, CONTACT.cursor) == (Stage.KEYS, None)


def test_a_walk_that_has_begun_keeps_to_what_it_began_with() -> None:
    """What arrives meanwhile needs another walk: this one has passed orders that wait for it."""
    item = replace(CONTACT, position=POSITION)
    moved = item.begun({"position": POSITION}).at(Stage.CONTACT, Cursor("o-1", AT))
    later = replace(moved, generation=4, position={})

    assert moved.walk == Walk(3, POSITION, Stage.CONTACT, Cursor("o-1", AT))
    assert (moved.stage, moved.cursor) == (Stage.CONTACT, Cursor("o-1", AT))
    assert later.begun({"position": {}}) == later
    assert later.at(Stage.KEYS).walk == Walk(3, POSITION)


def test_items_of_two_kinds_have_two_ids() -> None:
    assert CONTACT.id == item_id(CONTACTS.name, "hash") == f"{CONTACTS.name}/hash"


class FakeTurns:
    """Turns that count; batches wait or don't."""

    def __init__(self, *, waiting: bool) -> None:
        self.waiting = waiting
        self.taken = 0
        self.held = False

    def turn(self) -> AbstractAsyncContextManager[object]:
        return self._turn()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        self.taken += 1
        self.held = True
        yield
        self.held = False

    def others_wait(self) -> bool:
        return self.waiting


class EmptyQueue(HealingQueue):
    """A queue without a database."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()

    async def backlog(self) -> tuple[int, datetime | None]:
        return 0, None


@pytest.mark.parametrize("waiting", [True, False])
async def test_healing_leaves_waiting_batches_as_much_time_as_it_took(*, waiting: bool) -> None:
    turns, slept = FakeTurns(waiting=waiting), list[float]()

    async def work(_: datetime) -> bool:
        assert turns.held, "no batch may be handled meanwhile"
        await asyncio.sleep(0.05)
        return True

    async def sleep(seconds: float) -> None:
        assert not turns.held
        slept.append(seconds)

    loop = HealingLoop(work, EmptyQueue(), sleep)
    assert await loop.next_turn(turns)

    assert turns.taken == 1
    assert [seconds >= 0.05 for seconds in slept] == ([True] if waiting else [])


async def test_healing_begins_when_something_arrives() -> None:
    """Not at the next look alone, which is for what other enrichers left."""
    turns, queue = FakeTurns(waiting=False), EmptyQueue()
    looked = [asyncio.Event(), asyncio.Event()]

    async def work(_: datetime) -> bool:
        looked[turns.taken - 1].set()
        return False

    loop = HealingLoop(work, queue, look_again=3600)
    healing = asyncio.create_task(loop.for_ever(turns))
    await looked[0].wait()
    queue.arrived.set()
    await looked[1].wait()
    healing.cancel()


async def test_an_error_of_healing_stops_the_service() -> None:
    stop = asyncio.Event()

    async def work(_: datetime) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with HealingLoop(work, EmptyQueue()).running(FakeTurns(waiting=False), stop):
            await stop.wait()
