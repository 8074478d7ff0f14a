"""Changes of the shape of stored documents, page by page, gone on with where they stopped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pymongo.collection import Collection as MongoCollection
from pymongo.database import Database

from order_runtime.mongo.client import DURABLE, Document
from order_runtime.mongo.collections import MIGRATION_STATE, Migration

PAGE: Final = 1_000  # documents changed in one update


def documents_left(database: Database[Document], migration: Migration) -> int:
    """Return how many documents are still to be changed; reads all where no index finds them."""
    return database[migration.collection].count_documents(dict(migration.selects))


def migrate_documents(
    database: Database[Document], migration: Migration, report: Callable[[str], None]
) -> None:
    """
    Change all documents that *migration* selects, in the order of `_id`.

    A document that a writer changed after it was selected is left as it is. How far it came is
    stored after each page, and forgotten at the end: what is written in the old shape behind it is
    changed by the next apply.
    """
    collection = database[migration.collection].with_options(write_concern=DURABLE)
    state = database[MIGRATION_STATE.name].with_options(write_concern=DURABLE)
    begun = state.find_one({"_id": migration.name}) or {}
    after, changed = begun.get("after"), 0
    while page := _page(collection, migration, after):
        where = {**migration.selects, "_id": {"$in": page}}
        changed += collection.update_many(where, list(migration.update)).modified_count
        after = page[-1]
        state.update_one({"_id": migration.name}, {"$set": {"after": after}}, upsert=True)
        report(f"{migration.collection}: {migration.name}, {changed} documents changed")
    state.delete_one({"_id": migration.name})


def _page(collection: MongoCollection[Document], migration: Migration, after: Any) -> list[Any]:
    behind = {} if after is None else {"_id": {"$gt": after}}
    where = {"$and": [migration.selects, behind]}
    found = collection.find(where, {"_id": 1}).sort("_id").limit(PAGE)
    return [document["_id"] for document in found]
