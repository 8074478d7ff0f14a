"""
Who carries a key, read within bounds: thousands of contacts may share one (`none@none.example`).

Whether a key is ambiguous for an order is known by the second carrier that fits. So of a key that
more than SHARED contacts carry, OF_A_CLASS of each class are read (`matchesAs`): a class is a
contact type, or the one contact that its members were merged into.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pymongo import DESCENDING
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from enricher.domain.references import FORMER_KEYS, MATCHES_AS, is_merged_class
from order_runtime.documents.document import field, stored
from order_runtime.mongo import merge_store
from order_runtime.mongo.client import CONTACTS, MERGES, Document
from order_runtime.mongo.collections import CARRIERS, FORMER_CARRIERS
from order_runtime.mongo.portions import portions

SHARED: Final = 3
"""Of a key that up to so many contacts carry, all are read."""
OF_A_CLASS: Final = 2
_FIELDS: Final = {"position": 0}


@dataclass(frozen=True, slots=True)
class KeyIndex:
    """An index over a field with keys of contacts."""

    name: str
    keys: str
    where: Mapping[str, Any]
    """What else a contact must have to be found by it."""


_CARRIERS: Final = KeyIndex(CARRIERS.name, "keys", {})
_FORMER: Final = KeyIndex(FORMER_CARRIERS.name, FORMER_KEYS, {"deletedAt": {"$exists": True}})


async def carriers_of(database: AsyncDatabase[Document], keys: Collection[str]) -> list[Document]:
    """
    Return the contacts that carry these keys: as many as decide whom an order of any type means.

    Raises UnreadableStored.
    """
    contacts = database[CONTACTS]
    found, crowded = await _uncrowded(contacts, _CARRIERS, keys)
    for key in crowded:
        found += await _representatives(database, key)
    return list({it["_id"]: it for it in found}.values())


async def _representatives(database: AsyncDatabase[Document], key: str) -> list[Document]:
    """Return OF_A_CLASS carriers of each class of a key."""
    contacts = database[CONTACTS]
    found: list[Document] = []
    # A document from before there were classes has none: it is read.
    for name in {*await contacts.distinct(MATCHES_AS, {"keys": key}), None}:
        limit = 0 if name is None else OF_A_CLASS
        where = {"keys": key, MATCHES_AS: name}
        found += [it async for it in contacts.find(where, _FIELDS, limit=limit)]
    single = [it["_id"] for it in found if not is_merged_class(it.get(MATCHES_AS))]
    if not await merge_store.find_survivors(database[MERGES], single):
        return found
    # One is merged just now, and is not of its new class yet: that may hide a third one.
    return [it async for it in contacts.find({"keys": key}, _FIELDS)]


async def tombstones_of(database: AsyncDatabase[Document], keys: Collection[str]) -> list[Document]:
    """
    Return the tombstones of contacts that had these keys, and whose orders are not deleted yet.

    Of a key that more than SHARED contacts had, the one that was deleted last. Without those that
    were merged: they erase nothing. Raises UnreadableStored.
    """
    contacts = database[CONTACTS]
    found, crowded = await _uncrowded(contacts, _FORMER, keys)
    merged = await merge_store.find_survivors(database[MERGES], [it["_id"] for it in found])
    found = [it for it in found if it["_id"] not in merged]
    for key in crowded:
        found += await _last_tombstone(database, key)
    return list({it["_id"]: it for it in found}.values())


async def _last_tombstone(database: AsyncDatabase[Document], key: str) -> list[Document]:
    where = {FORMER_KEYS: key, **_FORMER.where}
    newest = [("deletedAt", DESCENDING)]
    for limit in (OF_A_CLASS, 0):  # 0: all, since the first ones were merged
        found = database[CONTACTS].find(where, _FIELDS, sort=newest, limit=limit, hint=_FORMER.name)
        documents = [it async for it in found]
        ids = [it["_id"] for it in documents]
        merged = await merge_store.find_survivors(database[MERGES], ids)
        if erased := [it for it in documents if it["_id"] not in merged]:
            return erased[:1]
    return []


async def _uncrowded(
    contacts: AsyncCollection[Document], index: KeyIndex, keys: Collection[str]
) -> tuple[list[Document], list[str]]:
    """
    Return the contacts that *index* finds by one of *keys*, and the keys that were left out.

    Those are the keys that more than SHARED contacts have: whoever fills the first query up.
    """
    found: list[Document] = []
    crowded: list[str] = []
    for some in portions(sorted(keys)):
        left: Sequence[str] = some
        while left:
            documents, more = await _up_to_shared(contacts, index, left)
            found += [] if more else documents
            crowded += more
            left = [it for it in left if it not in more] if more else ()
    return found, crowded


async def _up_to_shared(
    contacts: AsyncCollection[Document], index: KeyIndex, keys: Sequence[str]
) -> tuple[list[Document], frozenset[str]]:
    """Return all contacts with one of *keys*; or some, and keys that more than SHARED have."""
    limit = len(keys) * (SHARED + 1)
    named = {index.keys: {"$in": list(keys)}, **index.where}
    found = [it async for it in contacts.find(named, _FIELDS, limit=limit, hint=index.name)]
    if len(found) < limit:
        return found, frozenset()
    lists = (stored(CONTACTS, it, lambda it: field(it, index.keys, list)) for it in found)
    times = Counter(key for some in lists for key in some)
    return found, frozenset(key for key in keys if times[key] > SHARED)
