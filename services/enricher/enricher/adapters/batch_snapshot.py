"""What is stored of the orders in a batch: a few queries, whatever the number of orders."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence, Set
from datetime import datetime

from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters import held_action_store, links
from enricher.adapters.job_progress import job_progress
from enricher.adapters.reference_lookup import look_up_facts
from enricher.adapters.requested_actions import requested_actions
from enricher.domain.batch import (
    Batch,
    BatchSnapshot,
    committed_to_fire,
    reference_keys_of_events,
)
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.erasure import contact_claims, erased_orders, orders_of_events
from enricher.domain.model import ENRICHABLE, ReceivedEvent, StoredOrder
from enricher.domain.reconcile import OrderContext
from order_contracts.decoding import at_rest
from order_contracts.order import ContactKey
from order_runtime.documents.document import field, optional, stored
from order_runtime.documents.orders import LiveOrder, Tombstone, order_of
from order_runtime.mongo.client import HELD, LINKS, ORDERS, Document

STORED_FIELDS = (
    *("version", "contactVersion", "contactSince", "contactSinceAt"),
    *("registeredBy", "registeredAt", "cancelledSince"),
)


async def load_batch(
    database: AsyncDatabase[Document],
    events: Sequence[ReceivedEvent],
    keys: ContactKeys,
    now: datetime,
    again: Set[str] = frozenset(),
) -> Batch:
    """
    Return *events* with everything that their decisions depend on, nothing decided yet.

    Those of the jobs *again* are to be decided although they were.
    """
    orders, linked, jobs = await asyncio.gather(
        stored_orders(database, {it.event.order_id for it in events}),
        links.links_of(database[LINKS], {it.event.order_id for it in events}),
        job_progress(database, [it.event.job_id for it in events if it.kind in ENRICHABLE], again),
    )
    snapshot = committed_to_fire(events, BatchSnapshot(orders, linked, jobs))
    references = reference_keys_of_events(events, snapshot, keys)
    facts = await look_up_facts(database, references, keys, now)
    named = orders_of_events(events, orders)
    claims, erased = contact_claims(named, linked, facts), erased_orders(named, linked, facts)
    return Batch(events, snapshot, facts, claims, erased)


async def order_contexts(
    database: AsyncDatabase[Document], order_ids: Sequence[str], held_jobs: Collection[str]
) -> list[OrderContext]:
    """
    Return everything that is open about each of these orders; *held_jobs* as in held_actions_of.
    """
    orders, linked, held = await asyncio.gather(
        stored_orders(database, order_ids),
        links.links_of(database[LINKS], order_ids),
        held_action_store.held_actions_of(database[HELD], order_ids, held_jobs),
    )
    waiting = [it for it, some in held.items() if any(action.waits for action in some)]
    requested = await requested_actions(database, waiting)
    return [
        OrderContext(it, orders.get(it), linked.get(it), held.get(it, ()), requested.get(it, ()))
        for it in order_ids
    ]


async def stored_orders(
    database: AsyncDatabase[Document], order_ids: Iterable[str]
) -> dict[str, StoredOrder]:
    """Return those of these orders that exist, by id; raises UnreadableStored."""
    where = {"_id": {"$in": list(order_ids)}, "deletedAt": {"$exists": False}}
    fields = [*STORED_FIELDS, "order.contact"]
    found = database[ORDERS].find(where, fields)
    return {it["_id"]: stored(ORDERS, it, stored_order_of) async for it in found}


async def existing_orders(
    database: AsyncDatabase[Document], order_ids: Collection[str]
) -> set[str]:
    """Return the ids of those of these orders that exist."""
    if not order_ids:
        return set()
    where = {"_id": {"$in": list(order_ids)}, "deletedAt": {"$exists": False}}
    return {it["_id"] async for it in database[ORDERS].find(where, ["_id"])}


async def whole_orders(
    database: AsyncDatabase[Document], order_ids: Iterable[str]
) -> dict[str, LiveOrder | Tombstone]:
    """Return these orders with all their fields, or what is left of them, by id."""
    found = database[ORDERS].find({"_id": {"$in": list(order_ids)}})
    return {document["_id"]: stored(ORDERS, document, order_of) async for document in found}


def stored_order_of(document: Document) -> StoredOrder:
    """Return the order in *document*, which needs STORED_FIELDS and `order.contact` only."""
    return StoredOrder(
        version=field(document, "version", int),
        contact_version=field(document, "contactVersion", int),
        contact_since=field(document, "contactSince", int),
        contact_since_at=field(document, "contactSinceAt", datetime),
        registered_by=field(document, "registeredBy", str),
        registered_at=field(document, "registeredAt", datetime),
        contact=at_rest(ContactKey, document["order"]["contact"]),
        cancelled_since=optional(document, "cancelledSince", int),
    )
