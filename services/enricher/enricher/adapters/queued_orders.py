"""Which orders the healing queue has yet to come to."""

from __future__ import annotations

from collections.abc import Collection

from pymongo.asynchronous.database import AsyncDatabase

from enricher.domain.contact_matching import ContactKeys
from enricher.domain.healing import item_id, item_of_key
from enricher.domain.model import ContactLink
from enricher.domain.references import FORMER_KEYS
from order_contracts import topics
from order_runtime.mongo.client import CONTACTS, HEALING, Document


async def queued_orders(
    database: AsyncDatabase[Document], waiting: Collection[ContactLink], keys: ContactKeys
) -> set[str]:
    """Return the orders of those of these links that the queue will look at."""
    own = {key: item_of_key(key, keys) for it in waiting for key in it.waits_for}
    others = {key for key, item in own.items() if item is None}
    carriers = await _items_of_carriers(database, others)
    items = {key: {item} if item else carriers.get(key, set()) for key, item in own.items()}
    asked = sorted({item for some in items.values() for item in some})
    found = database[HEALING].find({"_id": {"$in": asked}}, {"_id": 1})
    queued = {it["_id"] async for it in found}
    return {it.order_id for it in waiting if any(items[key] & queued for key in it.waits_for)}


async def _items_of_carriers(
    database: AsyncDatabase[Document], keys: Collection[str]
) -> dict[str, set[str]]:
    """Return, by key, the items of the contacts that carry it, or did until lately."""
    found: dict[str, set[str]] = {}
    asked = {"$in": sorted(keys)}
    where = {"$or": [{"keys": asked}, {FORMER_KEYS: asked}]}
    async for it in database[CONTACTS].find(where, {"keys": 1, FORMER_KEYS: 1}):
        for key in {*it.get("keys", ()), *it.get(FORMER_KEYS, ())}.intersection(keys):
            found.setdefault(key, set()).add(item_id(topics.CONTACTS.name, it["_id"]))
    return found
