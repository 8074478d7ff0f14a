"""Looking up the references of orders: which exist, and which contacts were erased."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from enricher.domain.contact_matching import ContactKeys, KnownContact
from enricher.domain.erasure import ContactKeyClaim, covered_lifetimes
from enricher.domain.linking import ReferenceFacts, ReferenceKeys
from enricher.domain.model import OrderLifetime
from order_runtime.documents.document import field, optional, stored
from order_runtime.documents.erasures import id_key
from order_runtime.mongo import erasure_store
from order_runtime.mongo.client import ARTICLES, CONTACTS, ERASURES, STORES, Document
from order_runtime.mongo.portions import portions


async def look_up_facts(
    database: AsyncDatabase[Document], references: ReferenceKeys, keys: ContactKeys
) -> ReferenceFacts:
    """Return those of *references* that exist; raises UnreadableStored."""
    found = await asyncio.gather(
        _candidates(database[CONTACTS], references.contacts),
        _existing(database[ARTICLES], references.articles),
        _existing(database[STORES], references.stores),
    )
    return ReferenceFacts(*found, keys)


async def erased_lifetimes(
    database: AsyncDatabase[Document], claims: Collection[ContactKeyClaim]
) -> dict[OrderLifetime, datetime]:
    """Return the orders that belong to an erased contact, with the time of the erasure."""
    hashes = {claim.key_hash for claim in claims}
    return covered_lifetimes(claims, await erasure_store.find_erasures(database[ERASURES], hashes))


async def _candidates(
    contacts: AsyncCollection[Document], keys: frozenset[str]
) -> dict[str, list[KnownContact]]:
    candidates: dict[str, list[KnownContact]] = defaultdict(list)
    for portion in portions(list(keys)):
        async for document in contacts.find({"keys": {"$in": portion}}, {"position": 0}):
            contact, known_by = stored(CONTACTS, document, _contact_of)
            # Under its id too: a linked contact is looked up by that.
            for key in keys.intersection(known_by) | {id_key(contact.contact_id)}:
                if contact not in candidates[key]:
                    candidates[key].append(contact)
    return candidates


def _contact_of(document: Document) -> tuple[KnownContact, list[str]]:
    """Return a contact and the keys that it is known by."""
    contact = KnownContact(
        field(document, "contactId", str),
        optional(document, "contactType", str),
        optional(document, "language", str),
    )
    return contact, field(document, "keys", list)


async def _existing(collection: AsyncCollection[Document], ids: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for portion in portions(list(ids)):
        where: dict[str, Any] = {"_id": {"$in": portion}, "deletedAt": {"$exists": False}}
        found.update([document["_id"] async for document in collection.find(where, {"_id": 1})])
    return frozenset(found)
