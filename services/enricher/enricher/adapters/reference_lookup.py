"""Looking up the references of orders: which exist, and which contacts were erased."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters import contact_carriers
from enricher.domain.contact_matching import ContactKeys, KnownContact
from enricher.domain.erasure import ContactClaim, covered_lifetimes
from enricher.domain.linking import (
    ReferenceFacts,
    ReferenceKeys,
    is_survivor_key,
    survivor_key,
)
from enricher.domain.model import OrderLifetime
from enricher.domain.references import FORMER_KEYS
from order_runtime.documents.document import field, optional, stored
from order_runtime.documents.erasures import Erasure, id_key
from order_runtime.mongo import erasure_store, merge_store
from order_runtime.mongo.client import ARTICLES, CONTACTS, ERASURES, MERGES, STORES, Document
from order_runtime.mongo.portions import portions


async def look_up_facts(
    database: AsyncDatabase[Document], references: ReferenceKeys, keys: ContactKeys, now: datetime
) -> ReferenceFacts:
    """
    Return those of *references* that exist, and the erasures of the contacts among them.

    Raises UnreadableStored.
    """
    contacts, articles, stores = await asyncio.gather(
        candidates_of(database, references.contacts, keys),
        _existing(database[ARTICLES], references.articles),
        _existing(database[STORES], references.stores),
    )
    # Afterwards: whoever erases a contact notes it before the others find no contact any more.
    found = {it for some in contacts.values() for it in some}
    named = references.contacts | {
        survivor_key(it.awaited) if it.awaited else id_key(it.contact_id) for it in found
    }
    erasures = await erasures_of(database, named, keys, now)
    return ReferenceFacts(contacts, articles, stores, keys, erasures)


async def candidates_of(
    database: AsyncDatabase[Document], named: frozenset[str], keys: ContactKeys
) -> dict[str, list[KnownContact]]:
    """
    Return the contacts that carry these keys; a merged one as the one it counts as.

    Of a key that many carry, as many as decide whom an order means. Raises UnreadableStored.
    """
    documents = await contact_carriers.carriers_of(database, named)
    by_id = {keys.hashed(key): key for key in named if key.startswith(id_key(""))}
    survivors = await _survivors(database, {*by_id, *(it["_id"] for it in documents)})
    # Each once, in the order in which they were found.
    candidates: dict[str, dict[KnownContact, None]] = defaultdict(dict)
    for document in documents:
        own, known_by = stored(CONTACTS, document, _contact_of)
        contact = survivors.get(document["_id"], own)
        # Under its id too: a linked contact is looked up by that.
        ids = {id_key(own.contact_id), id_key(contact.contact_id)}
        for key in named.intersection(known_by) | ids:
            candidates[key][contact] = None
    for id_hash, key in by_id.items():
        if id_hash in survivors:  # of one that was merged, only the pointer may be left
            candidates[key][survivors[id_hash]] = None
    return {key: list(found) for key, found in candidates.items()}


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
        found |= await _begun_erasures(database, frozenset(some), now)
        hashes = {key: _hash_of(key, keys) for key in some}
        noted = await erasure_store.find_erasures(database[ERASURES], set(hashes.values()))
        found |= {key: noted[key_hash] for key, key_hash in hashes.items() if key_hash in noted}
    return found


def _hash_of(key: str, keys: ContactKeys) -> str:
    """Return the hash that *key* is noted under: that of a contact which is awaited is known."""
    return key.removeprefix(survivor_key("")) if is_survivor_key(key) else keys.hashed(key)


async def _begun_erasures(
    database: AsyncDatabase[Document], keys: frozenset[str], now: datetime
) -> dict[str, Erasure]:
    """Return the erasures of those contacts whose orders are not deleted yet."""
    found: dict[str, Erasure] = {}
    for document in await contact_carriers.tombstones_of(database, keys):
        at, former = stored(CONTACTS, document, _tombstone_of)
        for key in keys.intersection(former):
            if key not in found or found[key].at < at:
                found[key] = Erasure(at, max(now, at))
    return found


def _tombstone_of(document: Document) -> tuple[datetime, list[str]]:
    """Return when a contact was deleted, and the keys that it had."""
    return field(document, "deletedAt", datetime), field(document, FORMER_KEYS, list)


async def _survivors(
    database: AsyncDatabase[Document], hashes: Collection[str]
) -> dict[str, KnownContact]:
    """Return the contacts that those of these count as which were merged."""
    found = await merge_store.find_survivors(database[MERGES], hashes)
    if not found:
        return {}
    where = {"_id": {"$in": sorted({it.hash for it in found.values()})}, "keys": {"$exists": True}}
    living = {
        it["_id"]: stored(CONTACTS, it, _contact_of)[0]
        async for it in database[CONTACTS].find(where)
    }
    return {
        key: living.get(it.hash) or KnownContact(it.contact_id or "", awaited=it.hash)
        for key, it in found.items()
    }


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
