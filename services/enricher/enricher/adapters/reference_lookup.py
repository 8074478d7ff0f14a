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
from enricher.domain.erasure import ContactClaim, covered_lifetimes
from enricher.domain.linking import ReferenceFacts, ReferenceKeys
from enricher.domain.model import OrderLifetime
from enricher.domain.references import FORMER_KEYS
from order_runtime.documents.document import field, optional, stored
from order_runtime.documents.erasures import Erasure, id_key
from order_runtime.mongo import erasure_store
from order_runtime.mongo.client import ARTICLES, CONTACTS, ERASURES, STORES, Document
from order_runtime.mongo.portions import portions


async def look_up_facts(
    database: AsyncDatabase[Document], references: ReferenceKeys, keys: ContactKeys, now: datetime
) -> ReferenceFacts:
    """
    Return those of *references* that exist, and the erasures of the contacts among them.

    Raises UnreadableStored.
    """
    contacts, articles, stores = await asyncio.gather(
        _candidates(database[CONTACTS], references.contacts),
        _existing(database[ARTICLES], references.articles),
        _existing(database[STORES], references.stores),
    )
    # Afterwards: whoever erases a contact notes it before the others find no contact any more.
    named = references.contacts | {
        id_key(it.contact_id) for some in contacts.values() for it in some
    }
    erasures = await erasures_of(database, named, keys, now)
    return ReferenceFacts(contacts, articles, stores, keys, erasures)


async def erased_lifetimes(
    database: AsyncDatabase[Document],
    claims: Collection[ContactClaim],
    keys: ContactKeys,
    now: datetime,
) -> dict[OrderLifetime, datetime]:
    """Return the orders that belong to an erased contact, with the time of the erasure."""
    named = {id_key(claim.contact_id) for claim in claims}
    return covered_lifetimes(claims, await erasures_of(database, named, keys, now))


async def erasures_of(
    database: AsyncDatabase[Document], named: Collection[str], keys: ContactKeys, now: datetime
) -> dict[str, Erasure]:
    """
    Return the erasures of the contacts that had these keys, by key.

    One that isn't noted yet is found by the contact's tombstone, which has its keys until it is.
    So the tombstones are read first.
    """
    found: dict[str, Erasure] = {}
    for some in portions(sorted(named)):
        found |= await _begun_erasures(database[CONTACTS], frozenset(some), now)
        hashes = {keys.hashed(key): key for key in some}
        noted = await erasure_store.find_erasures(database[ERASURES], hashes.keys())
        found |= {hashes[key_hash]: erasure for key_hash, erasure in noted.items()}
    return found


async def _begun_erasures(
    contacts: AsyncCollection[Document], keys: frozenset[str], now: datetime
) -> dict[str, Erasure]:
    """Return the erasures of those contacts whose orders are not deleted yet."""
    deleted = {FORMER_KEYS: {"$in": sorted(keys)}, "deletedAt": {"$exists": True}}
    found: dict[str, Erasure] = {}
    async for document in contacts.find(deleted, {FORMER_KEYS: 1, "deletedAt": 1}):
        at, former = stored(CONTACTS, document, _tombstone_of)
        found |= {key: Erasure(at, max(now, at)) for key in keys.intersection(former)}
    return found


def _tombstone_of(document: Document) -> tuple[datetime, list[str]]:
    """Return when a contact was deleted, and the keys that it had."""
    return field(document, "deletedAt", datetime), field(document, FORMER_KEYS, list)


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
