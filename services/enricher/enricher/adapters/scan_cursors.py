"""How far a round through a collection is, kept for whoever goes on with it."""

from __future__ import annotations

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from order_runtime.documents.document import optional, stored
from order_runtime.mongo.client import WATERMARKS, Document


async def cursor_of(watermarks: AsyncCollection[Document], name: str) -> str:
    """Return the last thing that was read; an empty string at the begin of a round."""
    found = await watermarks.find_one({"_id": name})
    return stored(WATERMARKS, found, _cursor_of) if found else ""


async def move_cursor(watermarks: AsyncCollection[Document], name: str, old: str, new: str) -> bool:
    """Move the round from *old* to *new*; return False where another process did."""
    unmoved = {"_id": name, "cursor": old}
    try:
        moved = await watermarks.update_one(unmoved, {"$set": {"cursor": new}}, upsert=not old)
    except DuplicateKeyError:
        return False
    return bool(moved.matched_count or moved.upserted_id)


def _cursor_of(document: Document) -> str:
    return optional(document, "cursor", str) or ""
