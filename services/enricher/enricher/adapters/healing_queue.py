"""The healing queue at rest: one document for each reference document that changed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from pymongo import DeleteOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from enricher.adapters import bulk_writes
from enricher.domain.healing import (
    Arrival,
    Cursor,
    HealingItem,
    Stage,
    Walk,
    item_id,
)
from order_runtime.documents.document import Document, field, optional
from order_runtime.mongo.client import HEALING
from order_runtime.process.unreadable import all_readable

ITEMS: Final = 200  # that are claimed together: most heal no order, or a few
LEASE: Final = timedelta(seconds=30)  # for the work on one portion, which takes a second or two


class HealingQueue:
    """
    The queue as one enricher sees it: it works on the items that it has leased.

    A lease only shares the work: every step may be repeated, and by two enrichers at once.
    """

    def __init__(self, items: AsyncCollection[Document], owner: str) -> None:
        self._items = items
        self._owner = owner
        self.arrived = asyncio.Event()
        """Set when something is added here; for whoever waits for work."""

    async def add(self, arrivals: Iterable[Arrival], now: datetime) -> None:
        """Add these changes; an item that is there already gets another generation."""
        await bulk_writes.bulk_write(self._items, [_arrival_write(it, now) for it in arrivals])
        self.arrived.set()

    async def claim(self, now: datetime) -> list[HealingItem]:
        """Lease the items whose turn it is, up to ITEMS, and return them in that order."""
        free = [{"owner": self._owner}, {"leasedUntil": {"$not": {"$gt": now}}}]
        due = self._items.find({"$or": free}, {"_id": 1}, sort={"turn": 1}, limit=ITEMS)
        if not (found := [it["_id"] async for it in due]):
            return []
        leased = {"owner": self._owner, "leasedUntil": now + LEASE}
        await self._items.update_many({"_id": {"$in": found}, "$or": free}, {"$set": leased})
        own = {"_id": {"$in": found}, "owner": self._owner}
        documents = [it async for it in self._items.find(own, sort={"turn": 1})]
        return all_readable(HEALING, documents, healing_item_of)

    async def advance(self, items: Iterable[HealingItem], now: datetime) -> None:
        """Keep how far the walks of *items* are; it is the turn of all others first."""
        await bulk_writes.bulk_write(
            self._items,
            [
                UpdateOne(
                    self._as_claimed(it),
                    {"$set": {"walk": _walk_document(it.walk), "turn": now}},
                )
                for it in items
                if it.walk is not None
            ],
        )

    async def finish(self, items: Sequence[HealingItem], now: datetime) -> None:
        """Remove *items*; one that arrived again since its walk began is to be walked anew."""
        removed = [
            DeleteOne({**self._as_claimed(it), "generation": it.walk.generation})
            for it in items
            if it.walk is not None
        ]
        await bulk_writes.bulk_write(self._items, removed)
        again = {"_id": {"$in": [it.id for it in items]}, "owner": self._owner}
        await self._items.update_many(
            again, {"$unset": {"walk": ""}, "$set": {"turn": now, "since": now}}
        )

    async def backlog(self) -> tuple[int, datetime | None]:
        """Return the number of items, and since when the oldest of them is there."""
        oldest = self._items.find({}, {"since": 1}, sort={"since": 1}, limit=1)
        since = [it.get("since") async for it in oldest]
        return await self._items.estimated_document_count(), since[0] if since else None

    def _as_claimed(self, item: HealingItem) -> Document:
        """
        Return the filter for *item* as this enricher has leased it.

        `since` tells it from a later item of the same document, whose generations begin anew.
        """
        return {"_id": item.id, "since": item.since, "owner": self._owner}


def _arrival_write(arrival: Arrival, now: datetime) -> UpdateOne:
    changes: Document = {
        "$inc": {"generation": 1},
        "$setOnInsert": {
            "topic": arrival.topic,
            "document": arrival.document_id,
            "since": now,
            "turn": now,
        },
    }
    known = {
        "contactId": arrival.contact_id,
        "tombstone": arrival.tombstone,
        "position": arrival.position,
    }
    if fields := {name: value for name, value in known.items() if value is not None}:
        changes["$set"] = fields
    if arrival.erased_at is not None:
        # Kept when the contact comes back: what was its before is erased all the same.
        changes["$max"] = {"erasedAt": arrival.erased_at}
    return UpdateOne({"_id": item_id(arrival.topic, arrival.document_id)}, changes, upsert=True)


def healing_item_of(document: Document) -> HealingItem:
    walk = optional(document, "walk", dict)
    return HealingItem(
        topic=field(document, "topic", str),
        document_id=field(document, "document", str),
        generation=field(document, "generation", int),
        since=field(document, "since", datetime),
        contact_id=optional(document, "contactId", str),
        erased_at=optional(document, "erasedAt", datetime),
        tombstone=bool(optional(document, "tombstone", bool)),
        position=optional(document, "position", dict),
        walk=None if walk is None else _walk_of(walk),
    )


def _walk_of(document: Document) -> Walk:
    cursor = optional(document, "cursor", dict)
    return Walk(
        generation=field(document, "generation", int),
        position=optional(document, "position", dict),
        stage=Stage(field(document, "stage", str)),
        cursor=None if cursor is None else _cursor_of(cursor),
    )


def _cursor_of(document: Document) -> Cursor:
    return Cursor(field(document, "orderId", str), optional(document, "registeredAt", datetime))


def _walk_document(walk: Walk) -> Document:
    cursor = walk.cursor and {
        "orderId": walk.cursor.order_id,
        "registeredAt": walk.cursor.registered_at,
    }
    return {
        "generation": walk.generation,
        "position": walk.position,
        "stage": str(walk.stage),
        "cursor": cursor,
    }
