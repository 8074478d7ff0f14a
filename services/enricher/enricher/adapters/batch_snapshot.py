"""What is stored of the orders that a batch is about: a few queries, whatever their number."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters import held_actions, links
from enricher.adapters.commitment_store import agreed_of
from enricher.domain.model import Agreed, Asked, Link, Stored
from enricher.domain.reconcile import Found
from order_contracts.decoding import at_rest
from order_contracts.order import ActionRequest, ContactKey
from order_runtime.mongo.client import HELD, JOBS, LINKS, ORDERS, Document

STANDING = (
    *("version", "contactVersion", "contactSince", "contactSinceAt"),
    *("registeredBy", "registeredAt", "cancelledSince"),
)


@dataclass(frozen=True, slots=True)
class Jobs:
    """How far jobs are."""

    settled: Mapping[str, Document]
    """What is recorded of those whose event was handled: everything before that was done."""
    agreed: Mapping[str, Agreed]
    """What is to become of the action of those whose event was not handled wholly."""


@dataclass(frozen=True, slots=True)
class World:
    """What is stored of what a batch of events names, by id."""

    orders: Mapping[str, Stored]
    links: Mapping[str, Link]
    jobs: Jobs


async def world(
    database: AsyncDatabase[Document],
    order_ids: Sequence[str],
    job_ids: Sequence[str],
) -> World:
    """Return what is stored of these orders and jobs."""
    return World(
        *await asyncio.gather(
            orders_of(database, order_ids),
            links.links_of(database[LINKS], order_ids),
            _jobs(database, job_ids),
        )
    )


async def found(database: AsyncDatabase[Document], order_ids: Sequence[str]) -> dict[str, Found]:
    """Return all that is kept of these orders."""
    orders, linked, waiting = await asyncio.gather(
        orders_of(database, order_ids),
        links.links_of(database[LINKS], order_ids),
        held_actions.of_orders(database[HELD], order_ids),
    )
    asked = await _asked(database, list(waiting))
    return {
        it: Found(orders.get(it), linked.get(it), waiting.get(it, ()), asked.get(it, ()))
        for it in order_ids
    }


async def orders_of(
    database: AsyncDatabase[Document], order_ids: Iterable[str]
) -> dict[str, Stored]:
    living = {"_id": {"$in": list(order_ids)}, "deletedAt": {"$exists": False}}
    fields = [*STANDING, "order.contact"]
    return {it["_id"]: stored_of(it) async for it in database[ORDERS].find(living, fields)}


async def living(database: AsyncDatabase[Document], order_ids: Collection[str]) -> set[str]:
    """Return those of these orders that exist."""
    if not order_ids:
        return set()
    where = {"_id": {"$in": list(order_ids)}, "deletedAt": {"$exists": False}}
    return {it["_id"] async for it in database[ORDERS].find(where, ["_id"])}


def stored_of(document: Document) -> Stored:
    """Return an order that exists, of the fields that are asked for here."""
    return Stored(
        version=document["version"],
        contact_version=document["contactVersion"],
        contact_since=document["contactSince"],
        contact_since_at=document["contactSinceAt"],
        registered_by=document["registeredBy"],
        registered_at=document["registeredAt"],
        contact=at_rest(ContactKey, document["order"]["contact"]),
        cancelled_since=document.get("cancelledSince"),
    )


async def _jobs(database: AsyncDatabase[Document], job_ids: Sequence[str]) -> Jobs:
    touched = [{"enrichment": {"$exists": True}}, {"agreed": {"$exists": True}}]
    found = database[JOBS].find({"_id": {"$in": job_ids}, "$or": touched}, ["enrichment", "agreed"])
    jobs = {it["_id"]: it async for it in found}
    settled = {job_id: it["enrichment"] for job_id, it in jobs.items() if "enrichment" in it}
    agreed = {it: agreed_of(jobs[it]["agreed"]) for it in jobs.keys() - settled.keys()}
    return Jobs(settled, agreed)


async def _asked(
    database: AsyncDatabase[Document], order_ids: Sequence[str]
) -> dict[str, list[Asked]]:
    """Return the actions that were embedded in commands of these orders, handled or not yet."""
    asked: dict[str, list[Asked]] = defaultdict(list)
    if order_ids:
        acting = {
            "orderId": {"$in": order_ids},
            "action": {"$exists": True},
            "version": {"$exists": True},
        }
        async for it in database[JOBS].find(acting, {"orderId": 1, "version": 1, "action": 1}):
            action = at_rest(ActionRequest, it["action"])
            asked[it["orderId"]].append(Asked(it["version"], action))
    return asked
