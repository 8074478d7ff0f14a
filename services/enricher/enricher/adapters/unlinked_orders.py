"""Orders that exist, whose event was handled, and that have no link all the same."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters.batch_snapshot import STORED_FIELDS, stored_order_of
from enricher.adapters.job_progress import enriched_of
from enricher.domain.model import StoredOrder
from order_runtime.mongo.client import JOBS, LINKS, ORDERS, Document
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
    """
    Return those of these orders that exist without a link, though their event was handled.

    One that can't be read is passed over.
    """
    linked = database[LINKS].find({"_id": {"$in": list(order_ids)}}, {"_id": 1})
    left = set(order_ids) - {it["_id"] async for it in linked}
    if not left:
        return {}
    where = {"_id": {"$in": sorted(left)}, "deletedAt": {"$exists": False}}
    found = database[ORDERS].find(where, [*STORED_FIELDS, "order.contact"])
    orders = {it["_id"]: readable(ORDERS, it, stored_order_of) async for it in found}
    known = {order_id: it for order_id, it in orders.items() if it is not None}
    waiting = await _not_enriched(database, known)
    return {order_id: it for order_id, it in known.items() if order_id not in waiting}


async def _not_enriched(
    database: AsyncDatabase[Document], orders: dict[str, StoredOrder]
) -> set[str]:
    """Return the orders whose registration or replacement was not handled yet."""
    if not orders:
        return set()
    made = [{"orderId": order_id, "version": it.contact_version} for order_id, it in orders.items()]
    inside = {"enrichment": {"$exists": False}}
    found = database[JOBS].find({"$or": made, **inside}, {"orderId": 1})
    jobs = {it["_id"]: it["orderId"] async for it in found}
    done = await enriched_of(database, jobs)
    return {order_id for job_id, order_id in jobs.items() if job_id not in done}
