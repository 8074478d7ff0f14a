"""Unordered, idempotent bulk writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from order_runtime.mongo.client import Document
from order_runtime.mongo.errors import duplicates
from order_runtime.mongo.portions import portions

MAX_WRITTEN: Final = 2_000  # in one operation


def insert_once(document: Document) -> UpdateOne:
    """Return the insertion of *document*; one with the same `_id` is left as it is."""
    fields = {name: value for name, value in document.items() if name != "_id"}
    return UpdateOne({"_id": document["_id"]}, {"$setOnInsert": fields}, upsert=True)


async def bulk_write(
    collection: AsyncCollection[Document],
    writes: Sequence[Any],
    if_met: Sequence[Any] | None = None,
) -> None:
    """
    Execute *writes*; an upsert that ends in a duplicate key, met by a newer document, is ignored.

    *if_met* are the writes that follow those of *writes*, each at its place, that meet a document
    of their key: the same ones, unless it is given. In portions: each has the timeout of one
    operation, which a batch of large orders would exceed at every attempt.
    """
    both = list(zip(writes, writes if if_met is None else if_met, strict=True))
    for portion in portions(both, MAX_WRITTEN):
        await _write(collection, portion)


async def insert_new(collection: AsyncCollection[Document], documents: Sequence[Document]) -> bool:
    """Insert *documents*, in portions; return False if one of their `_id`s was there already."""
    all_new = True
    for portion in portions(documents, MAX_WRITTEN):
        try:
            await collection.insert_many(portion, ordered=False)
        except BulkWriteError as error:
            all_new = all_new and not duplicates(error)
    return all_new


async def _write(collection: AsyncCollection[Document], writes: Sequence[tuple[Any, Any]]) -> None:
    if met := await _duplicates(collection, [first for first, _ in writes]):
        # The older of two concurrent inserts may have won: now the filter of each upsert decides.
        await _duplicates(collection, [writes[at][1] for at in met])


async def _duplicates(collection: AsyncCollection[Document], writes: Sequence[Any]) -> list[int]:
    """Execute *writes*; return the indexes of those that ended in a duplicate key."""
    try:
        await collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        return duplicates(error)
    return []
