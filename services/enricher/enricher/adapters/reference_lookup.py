"""What is known of the contacts, articles and stores that orders name."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters import bulk_writes
from enricher.domain.contact_matching import ContactKeys, KnownContact
from enricher.domain.model import ReferenceFacts
from order_runtime.documents.erasures import id_key
from order_runtime.mongo.client import ARTICLES, CONTACTS, STORES, Document


async def look_up_facts(
    database: AsyncDatabase[Document],
    contacts: Collection[str],
    articles: Collection[str],
    stores: Collection[str],
    keys: ContactKeys,
) -> ReferenceFacts:
    """Return what is known of these contact keys, skus and store ids."""
    found = await asyncio.gather(
        _candidates(database[CONTACTS], contacts),
        _existing(database[ARTICLES], articles),
        _existing(database[STORES], stores),
    )
    return ReferenceFacts(*found, keys)


async def _candidates(
    contacts: AsyncCollection[Document], keys: Collection[str]
) -> dict[str, list[KnownContact]]:
    wanted = set(keys)
    found: dict[str, list[KnownContact]] = defaultdict(list)
    for portion in bulk_writes.portions(list(wanted)):
        async for document in contacts.find({"keys": {"$in": portion}}, {"position": 0}):
            known = KnownContact(
                document["contactId"], document.get("contactType"), document.get("language")
            )
            # By its id too, which is how it is known once it is linked.
            for key in wanted.intersection(document["keys"]) | {id_key(known.contact_id)}:
                if known not in found[key]:
                    found[key].append(known)
    return found


async def _existing(collection: AsyncCollection[Document], ids: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for portion in bulk_writes.portions(list(ids)):
        living: dict[str, Any] = {"_id": {"$in": portion}, "deletedAt": {"$exists": False}}
        found.update([document["_id"] async for document in collection.find(living, {"_id": 1})])
    return frozenset(found)
