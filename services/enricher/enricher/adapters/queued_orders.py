"""Which orders the healing queue has yet to come to."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from pymongo.asynchronous.database import AsyncDatabase

from enricher.domain.contact_matching import ContactKeys
from enricher.domain.healing import item_id, item_of_key
from enricher.domain.model import ContactLink
from enricher.domain.references import FORMER_KEYS
from order_contracts import topics
from order_runtime.mongo.client import CONTACTS, HEALING, Document

MAX_CONTACTS: Final = 1_000
"""Of the contacts in the queue: where there are more, any key of a contact may be one of theirs."""


async def queued_orders(
    database: AsyncDatabase[Document], waiting: Collection[ContactLink], keys: ContactKeys
) -> set[str]:
    """
    Return the orders of those of these links that the queue will look at.

    Where the queue is long, those that it may look at.
    """
    items = {key: item_of_key(key, keys) for it in waiting for key in it.waits_for}
    asked = sorted(item for item in items.values() if item is not None)
    found = database[HEALING].find({"_id": {"$in": asked}}, {"_id": 1})
    queued = {document["_id"] async for document in found}
    others = {key for key, item in items.items() if item is None}
    due = {key for key, item in items.items() if item in queued}
    due |= await _keys_of_queued_contacts(database, others)
    return {it.order_id for it in waiting if due.intersection(it.waits_for)}


async def _keys_of_queued_contacts(
    database: AsyncDatabase[Document], keys: Collection[str]
) -> set[str]:
    """
    Return those of *keys* that a contact in the queue carries, or did until lately.

    From the queue to its contacts: thousands of others may share a key.
    """
    if not keys:
        return set()
    first = item_id(topics.CONTACTS.name, "")
    of_contacts = {"$gte": first, "$lt": f"{first}\uffff"}  # hashes follow, in hexadecimal
    items = database[HEALING].find({"_id": of_contacts}, {"_id": 1}, limit=MAX_CONTACTS + 1)
    queued = [it["_id"].removeprefix(first) async for it in items]
    if len(queued) > MAX_CONTACTS:
        return set(keys)
    contacts = database[CONTACTS].find({"_id": {"$in": queued}}, {"keys": 1, FORMER_KEYS: 1})
    return {
        key
        async for it in contacts
        for key in {*it.get("keys", ()), *it.get(FORMER_KEYS, ())}.intersection(keys)
    }
