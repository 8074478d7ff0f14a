"""Bulk writes whose order doesn't matter and whose repetition changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from order_runtime.mongo.client import Document
from order_runtime.mongo.errors import duplicates

MAX_ASKED: Final = 10_000  # keys of up to 255 characters in one query, well under 16 MB
MAX_WRITTEN: Final = 2_000  # in one operation

T = TypeVar("T")


def insert_once(document: Document) -> UpdateOne:
    """Return the insertion of *document*, unless one with its id is there already."""
    fields = {name: value for name, value in document.items() if name != "_id"}
    return UpdateOne({"_id": document["_id"]}, {"$setOnInsert": fields}, upsert=True)


async def bulk_write(collection: AsyncCollection[Document], writes: Sequence[Any]) -> None:
    """
    Do all *writes*; an upsert that met a newer document, a duplicate key, is passed over.

    In portions: each has the time of one operation, which a batch of large orders would exceed
    however often it were tried.
    """
    for portion in portions(writes, MAX_WRITTEN):
        await _write(collection, portion)


async def _write(collection: AsyncCollection[Document], writes: Sequence[Any]) -> None:
    if met := await _duplicates(collection, writes):
        # Two may have inserted at once, and the older one been first: now each condition decides.
        await _duplicates(collection, [writes[at] for at in met])


async def _duplicates(collection: AsyncCollection[Document], writes: Sequence[Any]) -> list[int]:
    """Do *writes*; return those that met a document with their id."""
    try:
        await collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        return duplicates(error)
    return []


def portions(items: Sequence[T], size: int = MAX_ASKED) -> Iterator[list[T]]:
    """Yield *items* in lists short enough for one operation."""
    left = iter(items)
    while portion := list(islice(left, size)):
        yield portion
