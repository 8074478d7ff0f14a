"""Bulk writes whose order doesn't matter and whose repetition changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from order_runtime.mongo import Document

DUPLICATE_KEY: Final = 11000
MAX_ASKED: Final = 10_000  # keys of up to 255 characters in one query, well under 16 MB

T = TypeVar("T")


def once(document: Document) -> UpdateOne:
    """Return the insertion of *document*, unless one with its id is there already."""
    fields = {name: value for name, value in document.items() if name != "_id"}
    return UpdateOne({"_id": document["_id"]}, {"$setOnInsert": fields}, upsert=True)


async def write(collection: AsyncCollection[Document], writes: Sequence[Any]) -> None:
    """Do all *writes*; an upsert that met a newer document, a duplicate key, is passed over."""
    if not writes:
        return
    try:
        await collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        failed = [*error.details["writeErrors"], *error.details.get("writeConcernErrors", ())]
        if any(item.get("code") != DUPLICATE_KEY for item in failed):
            raise


def portions(keys: Sequence[T], size: int = MAX_ASKED) -> Iterator[list[T]]:
    """Yield *keys* in lists short enough for one query."""
    left = iter(keys)
    while portion := list(islice(left, size)):
        yield portion
