"""Erasing what was a deleted contact's, and moving what was a merged one's, in portions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.asynchronous.database import AsyncDatabase

from enricher import metrics
from enricher.adapters import batch_snapshot, links
from enricher.app.contact_erasure import ContactErasure
from enricher.app.passed_over import report_unerased
from enricher.app.reconciler import PORTION
from enricher.domain.erasure import lifetimes_of
from enricher.domain.healing import Cursor, HealingItem
from order_runtime.documents.deliveries import redaction_update
from order_runtime.documents.erasures import Erasure
from order_runtime.mongo import erasure_store, merge_store
from order_runtime.mongo.client import ACTION_DELIVERIES, ERASURES, LINKS, MERGES, Document
from order_runtime.process.isolation import handle_apart


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of one portion of a contact's."""

    finished: bool
    orders: int
    """How many were looked at."""
    cursor: Cursor | None = None
    """Where the next portion begins, unless it is finished."""


class ContactPortions:
    """Erases and moves orders and deliveries, PORTION of each at a time; may be repeated."""

    def __init__(self, database: AsyncDatabase[Document], contact_erasure: ContactErasure) -> None:
        self._database = database
        self._contact_erasure = contact_erasure

    async def __call__(self, item: HealingItem, now: datetime) -> Progress:
        """
        Work on the next portion of a contact's orders, which are erased before any is moved.

        The orders that wait for one of its keys come before that: one that is linked by its
        reconciliation is one of the contact's then.
        """
        if item.contact_id is None:
            return Progress(finished=True, orders=0)
        progress = Progress(finished=True, orders=0, cursor=item.cursor)
        if item.erased_at is not None:
            progress = await self._erase(item.contact_id, item, now)
        if progress.finished:
            progress = await self._move(item.contact_id, item, progress)
        if progress.finished and item.tombstone:
            await merge_store.forget_ids(self._database[MERGES], [item.document_id])
            metrics.ERASED.inc(item.erased_at is not None)
        return progress

    async def _erase(self, contact_id: str, item: HealingItem, now: datetime) -> Progress:
        erasure = await self._erasure_of(item, now)
        page = await links.linked_to(
            self._database[LINKS], contact_id, erasure.at, item.cursor, PORTION
        )
        await self._delete_orders(contact_id, erasure, [it.order_id for it in page])
        covered = {
            "contactId": contact_id,
            "registeredAt": {"$lte": erasure.at},
            "acceptedAt": {"$lte": erasure.seen},
        }
        redacted = await self._update_portion(ACTION_DELIVERIES, covered, redaction_update(now))
        return Progress(
            finished=max(len(page), redacted) < PORTION,
            orders=len(page),
            cursor=page[-1] if page else item.cursor,
        )

    async def _erasure_of(self, item: HealingItem, now: datetime) -> Erasure:
        """Return the erasure that was noted; one of an old tombstone may have expired by now."""
        noted = await erasure_store.find_erasures(self._database[ERASURES], [item.document_id])
        return noted.get(item.document_id) or Erasure(item.erased_at or now, now)

    async def _delete_orders(
        self, contact_id: str, erasure: Erasure, order_ids: Sequence[str]
    ) -> None:
        """
        Delete those of these orders that the erasure covers.

        An order that can't be read is passed over: nobody knows whether it is the contact's.
        """

        async def delete_some(some: Sequence[str]) -> None:
            found = await links.links_of(self._database[LINKS], some)
            orders = await batch_snapshot.stored_orders(self._database, some)
            erased = lifetimes_of(contact_id, erasure, orders, found)
            await self._contact_erasure.delete_orders(erased)

        report_unerased(await handle_apart(order_ids, delete_some))

    async def _move(self, contact_id: str, item: HealingItem, before: Progress) -> Progress:
        """Let the orders and deliveries of a merged contact be those of the one it counts as."""
        merges = self._database[MERGES]
        survivor = (await merge_store.find_survivors(merges, [item.document_id])).get(
            item.document_id
        )
        if survivor is None or survivor.contact_id is None:
            return before
        rename = {"$set": {"contactId": survivor.contact_id}}
        moved = [
            await self._update_portion(name, {"contactId": contact_id}, rename)
            for name in (LINKS, ACTION_DELIVERIES)
        ]
        return Progress(max(moved) < PORTION, before.orders + moved[0], before.cursor)

    async def _update_portion(self, name: str, where: Document, update: Any) -> int:
        """Update the first documents that meet *where*, which they don't any more afterwards."""
        found = self._database[name].find(where, {"_id": 1}, limit=PORTION)
        ids = [it["_id"] async for it in found]
        if ids:
            await self._database[name].update_many({**where, "_id": {"$in": ids}}, update)
        return len(ids)
