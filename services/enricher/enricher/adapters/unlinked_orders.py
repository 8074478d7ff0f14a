"""Orders that exist and have no link."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters.batch_snapshot import STORED_FIELDS, stored_order_of
from enricher.domain.model import StoredOrder
from order_runtime.mongo.client import LINKS, ORDERS, Document
from order_runtime.process.unreadable import readable


async def orders_after(
    orders: AsyncCollection[Document], order_id: str, limit: int
) -> list[tuple[str, str]]:
    """Return the orders, deleted ones too, that follow *order_id*, each as (cursor, orderId)."""
    found = orders.find({"_id": {"$gt": order_id}}, {"_id": 1}).sort("_id").limit(limit)
    return [(document["_id"], document["_id"]) async for document in found]


async def without_link(
    database: AsyncDatabase[Document], order_ids: Sequence[str]
) -> dict[str, StoredOrder]:
    """Return those of these orders that exist without a link; unreadable ones are passed over."""
    linked = database[LINKS].find({"_id": {"$in": list(order_ids)}}, {"_id": 1})
    left = set(order_ids) - {it["_id"] async for it in linked}
    if not left:
        return {}
    where = {"_id": {"$in": sorted(left)}, "deletedAt": {"$exists": False}}
    found = database[ORDERS].find(where, [*STORED_FIELDS, "order.contact"])
    orders = {it["_id"]: readable(ORDERS, it, stored_order_of) async for it in found}
    return {order_id: it for order_id, it in orders.items() if it is not None}
