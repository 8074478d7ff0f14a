"""Whose turn it is among the deliveries of one order, in MongoDB."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pymongo import ASCENDING, AsyncMongoClient, UpdateOne

from action_trigger.adapters.delivery_documents import (
    CONTENT_FIELDS,
    PENDING_FIELDS,
    pending_delivery_of,
    webhook_of,
)
from action_trigger.adapters.readable_page import Page, first_readable
from action_trigger.domain.delivery import PendingDelivery
from action_trigger.domain.ordering import (
    LANE_DEPTH,
    PRECEDENCE,
    YOUNG_READ,
    Backlog,
    Postponed,
)
from order_contracts.order import ActionName
from order_runtime.documents.deliveries import PENDING
from order_runtime.mongo.client import ACTION_DELIVERIES, CODEC, Document
from order_runtime.process.unreadable import all_readable, readable

_WITH_CONTENT: Final = {**PENDING_FIELDS, **CONTENT_FIELDS}
_UNPARKED: Final[list[Document]] = [{"$set": {"dueAt": "$createdAt"}}, {"$unset": "parked"}]


@dataclass(frozen=True, slots=True)
class ParkedDeliveries:
    """The first of those that an order has parked, and what may go before them."""

    deliveries: tuple[PendingDelivery, ...]
    """By offset."""
    bodies: Mapping[str, str]
    """Of their webhooks, by the delivery's id."""
    young: tuple[PendingDelivery, ...]
    """The oldest that PRECEDENCE still protects, parked or not."""


class OrderBacklogs:
    """
    What orders have to be sent, in portions.

    What a call costs depends on the number of orders, not on how many deliveries they have
    gathered. A document that can't be read is passed over.
    """

    def __init__(self, client: AsyncMongoClient[Document], database: str) -> None:
        self._all = client.get_database(database)[ACTION_DELIVERIES].with_options(CODEC)

    async def of_orders(self, order_ids: Collection[str], now: datetime) -> dict[str, Backlog]:
        """Return what these orders have beside what is due, by order."""
        has_parked = {"orderId": {"$in": list(order_ids)}, "parked": True}
        young, parked = await asyncio.gather(
            self._young(sorted(order_ids), now), self._all.distinct("orderId", has_parked)
        )
        return {
            order_id: Backlog(tuple(young.get(order_id, ())), order_id in parked)
            for order_id in order_ids
        }

    async def _young(
        self, order_ids: Sequence[str], now: datetime
    ) -> dict[str, list[PendingDelivery]]:
        """Return the first that are young and not parked, of each order; no order hides another."""
        young: dict[str, list[PendingDelivery]] = {}
        left = list(order_ids)
        while left:
            limit = 2 * len(left) + YOUNG_READ
            found = await self._young_of(left, [None], now, limit)
            for document in found:
                delivery = readable(ACTION_DELIVERIES, document, pending_delivery_of)
                some = young.setdefault(document["orderId"], [])
                if delivery is not None and len(some) < YOUNG_READ:
                    some.append(delivery)
            if len(found) < limit:
                break
            last = found[-1]["orderId"]
            complete = sum(it["orderId"] == last for it in found) >= YOUNG_READ
            left = [it for it in left if it > last or (it == last and not complete)]
            if not complete:
                del young[last]
        return young

    async def _young_of(
        self, order_ids: Sequence[str], parked: Sequence[bool | None], now: datetime, limit: int
    ) -> list[Document]:
        where = {
            "orderId": {"$in": list(order_ids)},
            "parked": {"$in": list(parked)},
            "state": PENDING,
            "createdAt": {"$gt": now - PRECEDENCE},
        }
        order = ("orderId", "parked", "createdAt", "offset")
        found = self._all.find(where, PENDING_FIELDS, hint="turn").sort(
            [(it, ASCENDING) for it in order]
        )
        return await found.limit(limit).to_list()

    async def parked(
        self, order_id: str, actions: Collection[ActionName], now: datetime
    ) -> ParkedDeliveries:
        """Return an order's first LANE_DEPTH parked deliveries for these actions."""
        where = {"orderId": order_id, "parked": True, "action": {"$in": _names(actions)}}
        first = Page(where, _WITH_CONTENT, "parked", {"offset": ASCENDING}, LANE_DEPTH)
        parked, unparked_young, parked_young = await asyncio.gather(
            first_readable(self._all, first, _with_body),
            self._young_of([order_id], [None], now, YOUNG_READ),
            self._young_of([order_id], [True], now, YOUNG_READ),
        )
        documents = [*unparked_young, *parked_young]
        return ParkedDeliveries(
            deliveries=tuple(delivery for delivery, _ in parked),
            bodies={delivery.id: body for delivery, body in parked},
            young=tuple(all_readable(ACTION_DELIVERIES, documents, pending_delivery_of)),
        )

    async def park(self, postponed: Sequence[Postponed]) -> None:
        """
        Let deliveries wait behind others of their order, to be looked at again at a time.

        One that was attempted, unparked or replayed since it was read stays as it is.
        """
        writes = [
            UpdateOne(
                {"_id": delivery.id, "state": PENDING, "dueAt": delivery.due_at},
                {"$set": {"parked": True, "dueAt": at}},
            )
            for delivery, at in postponed
        ]
        if writes:
            await self._all.bulk_write(writes, ordered=False)

    async def unpark(self, deliveries: Collection[PendingDelivery]) -> None:
        """Make parked deliveries due, among the first."""
        if deliveries:
            ids = [delivery.id for delivery in deliveries]
            where = {"_id": {"$in": ids}, "parked": True}
            await self._all.update_many(where, _UNPARKED, hint="_id_")

    async def unpark_first(self, order_id: str) -> None:
        """Make the order's first parked delivery due: with it, the others are found again."""
        where = {"orderId": order_id, "parked": True, "action": {"$in": _names(ActionName)}}
        await self._all.find_one_and_update(
            where, _UNPARKED, {"_id": 1}, [("offset", ASCENDING)], hint="parked"
        )


def _with_body(document: Document) -> tuple[PendingDelivery, str]:
    return pending_delivery_of(document), webhook_of(document)[1]


def _names(actions: Iterable[ActionName]) -> list[str]:
    return [str(action) for action in actions]
