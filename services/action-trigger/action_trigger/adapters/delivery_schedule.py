"""Which deliveries are due, in MongoDB."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

from pymongo import ASCENDING, AsyncMongoClient

from action_trigger.adapters.delivery_documents import PENDING_FIELDS, pending_delivery_of
from action_trigger.adapters.readable_page import Page, first_readable
from action_trigger.domain.delivery import PendingDelivery
from order_contracts.order import ActionName
from order_runtime.documents.deliveries import PENDING
from order_runtime.mongo.client import ACTION_DELIVERIES, CODEC, Document

MAX_SCANS: Final = 200
"""Ranges of an index that MongoDB merges in their order (internalQueryMaxScansToExplode); for more
it reads all that is in them, and sorts it in memory."""


@dataclass(frozen=True, slots=True)
class DuePage:
    items: tuple[PendingDelivery, ...]
    """By due time."""
    full: bool
    """Whether there may be more."""


class DeliverySchedule:
    """
    The pending deliveries of some partitions, by due time and in portions.

    What a call costs depends on what it returns, and on the number of partitions, not on how many
    deliveries wait. A document that can't be read is passed over.
    """

    def __init__(self, client: AsyncMongoClient[Document], database: str) -> None:
        self._all = client.get_database(database)[ACTION_DELIVERIES].with_options(CODEC)

    async def due(
        self,
        partitions: Collection[int],
        actions: Collection[ActionName],
        now: datetime,
        limit: int,
        queued: Mapping[int, int] = MappingProxyType({}),
    ) -> DuePage:
        """
        Return deliveries that are due, the earliest of each set of partitions, some *limit* in all.

        *queued* is how many of each partition the caller has in memory: they are due as well, and
        returned beside the others.
        """
        ranges = list(_ranges(partitions, actions))
        each = -(-limit // len(ranges))
        pages = [_due_page(it, now, each, queued) for it in ranges]
        found = await asyncio.gather(
            *(first_readable(self._all, page, pending_delivery_of) for page in pages)
        )
        items = sorted((it for some in found for it in some), key=lambda it: it.due_at)
        full = any(len(some) == page.limit for some, page in zip(found, pages, strict=True))
        return DuePage(tuple(items), full)

    async def next_due(
        self, partitions: Collection[int], actions: Collection[ActionName], now: datetime
    ) -> datetime | None:
        """Return when the first delivery will be due that isn't yet."""

        async def first(where: Document) -> list[datetime]:
            later = {**where, "dueAt": {"$gt": now}}
            found = self._all.find(later, {"dueAt": 1}, hint="due").sort("dueAt").limit(1)
            return [document["dueAt"] async for document in found]

        found = await asyncio.gather(*(first(it) for it in _ranges(partitions, actions)))
        return min((at for some in found for at in some), default=None)


def _ranges(partitions: Collection[int], actions: Collection[ActionName]) -> Iterator[Document]:
    """Yield filters of so many partitions each as MongoDB reads in the order of their due times."""
    numbers, names = sorted(partitions), [str(action) for action in actions]
    size = max(1, MAX_SCANS // len(names))
    for start in range(0, len(numbers), size):
        some = {"$in": numbers[start : start + size]}
        yield {"partition": some, "action": {"$in": names}, "state": PENDING}


def _due_page(where: Document, now: datetime, limit: int, queued: Mapping[int, int]) -> Page:
    also = sum(queued.get(partition, 0) for partition in where["partition"]["$in"])
    due = {**where, "dueAt": {"$lte": now}}
    return Page(due, PENDING_FIELDS, "due", {"dueAt": ASCENDING}, limit + also)
