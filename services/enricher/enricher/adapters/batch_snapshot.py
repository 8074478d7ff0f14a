"""What is stored of the orders that a batch is about: a few queries, whatever their number."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters import held_actions, links
from enricher.adapters.commitment_store import commitment_of
from enricher.domain.model import Commitment, ContactLink, RequestedAction, StoredOrder
from enricher.domain.reconcile import OrderContext
from order_contracts.decoding import at_rest
from order_contracts.order import ActionRequest, ContactKey
from order_runtime.mongo.client import HELD, JOBS, LINKS, ORDERS, Document

STORED_FIELDS = (
    *("version", "contactVersion", "contactSince", "contactSinceAt"),
    *("registeredBy", "registeredAt", "cancelledSince"),
)


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far jobs are."""

    settled: Mapping[str, Document]
    """What is recorded of those whose event was handled: everything before that was done."""
    commitment: Mapping[str, Commitment]
    """What is to become of the action of those whose event was not handled wholly."""


@dataclass(frozen=True, slots=True)
class BatchSnapshot:
    """What is stored of what a batch of events names, by id."""

    orders: Mapping[str, StoredOrder]
    links: Mapping[str, ContactLink]
    jobs: JobProgress


async def batch_snapshot(
    database: AsyncDatabase[Document],
    order_ids: Sequence[str],
    job_ids: Sequence[str],
) -> BatchSnapshot:
    """Return what is stored of these orders and jobs."""
    return BatchSnapshot(
        *await asyncio.gather(
            stored_orders(database, order_ids),
            links.links_of(database[LINKS], order_ids),
            _jobs(database, job_ids),
        )
    )


async def order_contexts(
    database: AsyncDatabase[Document], order_ids: Sequence[str]
) -> dict[str, OrderContext]:
    """Return all that is kept of these orders."""
    orders, linked, waiting = await asyncio.gather(
        stored_orders(database, order_ids),
        links.links_of(database[LINKS], order_ids),
        held_actions.held_of_orders(database[HELD], order_ids),
    )
    asked = await _asked(database, list(waiting))
    return {
        it: OrderContext(orders.get(it), linked.get(it), waiting.get(it, ()), asked.get(it, ()))
        for it in order_ids
    }


async def stored_orders(
    database: AsyncDatabase[Document], order_ids: Iterable[str]
) -> dict[str, StoredOrder]:
    existing_orders = {"_id": {"$in": list(order_ids)}, "deletedAt": {"$exists": False}}
    fields = [*STORED_FIELDS, "order.contact"]
    return {
        it["_id"]: stored_order_of(it)
        async for it in database[ORDERS].find(existing_orders, fields)
    }


async def existing_orders(
    database: AsyncDatabase[Document], order_ids: Collection[str]
) -> set[str]:
    """Return those of these orders that exist."""
    if not order_ids:
        return set()
    where = {"_id": {"$in": list(order_ids)}, "deletedAt": {"$exists": False}}
    return {it["_id"] async for it in database[ORDERS].find(where, ["_id"])}


def stored_order_of(document: Document) -> StoredOrder:
    """Return an order that exists, of the fields that are asked for here."""
    return StoredOrder(
        version=document["version"],
        contact_version=document["contactVersion"],
        contact_since=document["contactSince"],
        contact_since_at=document["contactSinceAt"],
        registered_by=document["registeredBy"],
        registered_at=document["registeredAt"],
        contact=at_rest(ContactKey, document["order"]["contact"]),
        cancelled_since=document.get("cancelledSince"),
    )


async def _jobs(database: AsyncDatabase[Document], job_ids: Sequence[str]) -> JobProgress:
    touched = [{"enrichment": {"$exists": True}}, {"agreed": {"$exists": True}}]
    order_contexts = database[JOBS].find(
        {"_id": {"$in": job_ids}, "$or": touched}, ["enrichment", "agreed"]
    )
    jobs = {it["_id"]: it async for it in order_contexts}
    settled = {job_id: it["enrichment"] for job_id, it in jobs.items() if "enrichment" in it}
    commitment = {it: commitment_of(jobs[it]["agreed"]) for it in jobs.keys() - settled.keys()}
    return JobProgress(settled, commitment)


async def _asked(
    database: AsyncDatabase[Document], order_ids: Sequence[str]
) -> dict[str, list[RequestedAction]]:
    """Return the actions that were embedded in commands of these orders, handled or not yet."""
    asked: dict[str, list[RequestedAction]] = defaultdict(list)
    if order_ids:
        acting = {
            "orderId": {"$in": order_ids},
            "action": {"$exists": True},
            "version": {"$exists": True},
        }
        async for it in database[JOBS].find(acting, {"orderId": 1, "version": 1, "action": 1}):
            action = at_rest(ActionRequest, it["action"])
            asked[it["orderId"]].append(RequestedAction(it["version"], action))
    return asked
