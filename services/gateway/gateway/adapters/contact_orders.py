"""The aggregation pipeline for the orders of a contact: its links, each with the order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.domain.pagination import PageRequest
from order_contracts.order import OrderStatus
from order_runtime.mongo.client import ORDERS, Document

ORDER_FIELD: Final = "order"  # of a result: the document of the order


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """The orders of one contact, narrowed by what is not None."""

    contact_id: str
    status: OrderStatus | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None

    @property
    def links(self) -> Mapping[str, Any]:
        """The filter of the contact's links."""
        return {"contactId": self.contact_id}

    @property
    def is_narrowed(self) -> bool:
        return self != OrderFilter(self.contact_id)


def contact_orders_pipeline(
    where: OrderFilter, asked: PageRequest, scanned: Document | None = None
) -> list[Document]:
    """
    Return the pipeline over the links; its limit applies to the orders that are left.

    *scanned* is the last link to look at, None for all.
    """
    orders = {"localField": "_id", "foreignField": "_id", "as": ORDER_FIELD}
    bound = asked.up_to(scanned) if scanned is not None else {}
    return [
        {"$match": asked.where([where.links, bound])},
        {"$sort": asked.sort()},
        {"$lookup": {"from": ORDERS, **orders}},
        {"$unwind": f"${ORDER_FIELD}"},
        {"$match": _of_order(where)},
        {"$limit": asked.limit},
    ]


def _of_order(where: OrderFilter) -> Mapping[str, Any]:
    bounds = {"$gte": where.created_from, "$lte": where.created_to}
    created_at = {bound: at for bound, at in bounds.items() if at is not None}
    conditions: Document = {
        f"{ORDER_FIELD}.deletedAt": {"$exists": False},
        # As in `linked_contact`; the link was read first, so it is never the newer one.
        "$expr": {"$gte": ["$contactVersion", f"${ORDER_FIELD}.contactSince"]},
    }
    if where.status:
        conditions[f"{ORDER_FIELD}.order.status"] = str(where.status)
    if created_at:
        conditions[f"{ORDER_FIELD}.order.createdAt"] = created_at
    return conditions
