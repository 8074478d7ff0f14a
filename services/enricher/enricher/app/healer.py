"""Healing: the orders that changed reference data affects, a portion at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters import links, reference_store
from enricher.adapters.healing_queue import HealingQueue
from enricher.adapters.reference_lookup import candidates_of
from enricher.app.contact_portions import ContactPortions
from enricher.app.reconciler import PORTION, Reconciler
from enricher.domain.ambiguous_keys import AmbiguousKeys, Carriers, carriers_by_type
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.healing import Cursor, HealingItem, Stage
from order_contracts.topics import CONTACTS
from order_runtime.mongo.client import LINKS, Document

CONTACTS_AT_ONCE: Final = 20  # that are erased or moved in one portion
Begun = tuple[HealingItem, set[str]]
"""An item whose walk has begun, with the keys that orders may wait for."""


class Healer:
    """
    Works on the healing queue; every portion may be repeated, and by two workers at once.

    An item is removed when its last portion is done, so that a crash repeats one portion.
    """

    def __init__(
        self,
        database: AsyncDatabase[Document],
        queue: HealingQueue,
        reconciler: Reconciler,
        contact_portions: ContactPortions,
        keys: ContactKeys,
    ) -> None:
        self._database = database
        self._queue = queue
        self._reconciler = reconciler
        self._contact_portions = contact_portions
        self._keys = keys
        self._ambiguous = AmbiguousKeys()

    async def __call__(self, now: datetime) -> bool:
        """Work on the next portion; return False where there was none."""
        items = await self._queue.claim(now)
        if not items:
            return False
        stage = items[0].stage
        some = [it for it in items if it.stage is stage]
        await (self._heal(some, now) if stage is Stage.KEYS else self._end_contacts(some, now))
        return True

    async def _heal(self, items: Sequence[HealingItem], now: datetime) -> None:
        """
        Reconcile orders that wait for a key of *items*: a portion of one, or all of several.

        Not those that wait for a key which is as ambiguous as when they were looked at last.
        Before a contact is erased: an order whose key a second contact has too is that one's then.
        This takes those, too, that wait for a key which nobody carries any more.
        """
        begun = await self._begun(items)
        carriers = await self._carriers(begun)
        left = [(it, keys - self._ambiguous.settled(it.id, carriers)) for it, keys in begun]
        some, order_ids = await self._next_portion(left)
        for it, keys in some:
            if it.cursor is None:
                self._ambiguous.begin(it.id, _only(keys, carriers))
        await self._reconciler(order_ids, now)
        healed = [it for it, _ in some]
        if len(some) == 1 and len(order_ids) == PORTION:
            await self._queue.advance([healed[0].at(Stage.KEYS, Cursor(order_ids[-1]))], now)
            return
        for it, keys in some:
            self._ambiguous.end(it.id, _only(keys, carriers))
        await self._queue.advance([it.at(Stage.CONTACT) for it in healed if it.contact_id], now)
        await self._finish([it for it in healed if not it.contact_id], now)

    async def _begun(self, items: Sequence[HealingItem]) -> list[Begun]:
        found = await reference_store.documents_of(self._database, items)
        return [(it.begun(found.get(it.id)), it.keys(found.get(it.id))) for it in items]

    async def _carriers(self, begun: Iterable[Begun]) -> dict[str, Carriers]:
        """Return who carries the keys of contacts among *begun* that orders wait for."""
        asked = {key for it, keys in begun if it.topic == CONTACTS.name for key in keys}
        if not asked:
            return {}
        waited = await links.waited_for(self._database[LINKS], asked, PORTION)
        found = await candidates_of(self._database, frozenset(waited), self._keys)
        return {key: carriers_by_type(found.get(key, ())) for key in waited}

    async def _next_portion(self, begun: list[Begun]) -> tuple[list[Begun], list[str]]:
        """Return as many of the items as have no more than PORTION orders, at least the first."""
        some = begun
        while len(some) > 1:
            waited_for = {key for _, keys in some for key in keys}
            found = await links.waiting_for(self._database[LINKS], waited_for, PORTION + 1)
            if len(found) <= PORTION:
                return some, sorted(set(found))
            some = some[: len(some) // 2]
        [(item, keys)] = some
        after = item.cursor.order_id if item.cursor else ""
        return some, await links.waiting_for_after(self._database[LINKS], keys, after, PORTION)

    async def _end_contacts(self, items: Sequence[HealingItem], now: datetime) -> None:
        """Erase or move the next portion of what is these contacts'."""
        ended, orders = [], 0
        for it in items[:CONTACTS_AT_ONCE]:
            progress = await self._contact_portions(it, now)
            orders += progress.orders
            if not progress.finished:
                await self._queue.advance([it.at(Stage.CONTACT, progress.cursor)], now)
                break
            ended.append(it)
            if orders >= PORTION:
                break
        await self._finish(ended, now)

    async def _finish(self, items: Iterable[HealingItem], now: datetime) -> None:
        """Forget the former keys of contacts whose orders were all looked at, and the items."""
        done = list(items)
        walks = [(it.document_id, it.walk.position) for it in done if it.walk]
        await reference_store.forget_former_keys(
            self._database,
            [{"_id": name, "position": position} for name, position in walks if position],
        )
        await self._queue.finish(done, now)


def _only(keys: Collection[str], carriers: Mapping[str, Carriers]) -> dict[str, Carriers]:
    """Return who carries *keys*, of all that were looked up."""
    return {key: it for key, it in carriers.items() if key in keys}
