"""How far a walk over a collection got: durable, and moved by compare-and-set."""

from __future__ import annotations

from typing import Any

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from order_runtime.mongo.client import Document


async def cursor_of(watermarks: AsyncCollection[Document], name: str) -> Any:
    """Return the cursor of the walk *name*; None where it has not begun."""
    document = await watermarks.find_one({"_id": name})
    return None if document is None else document.get("cursor")


async def advance(watermarks: AsyncCollection[Document], name: str, seen: Any, cursor: Any) -> bool:
    """Move a walk from *seen* to *cursor*; return False if another worker moved it meanwhile."""
    try:
        where = {"_id": name, "cursor": seen}
        moved = await watermarks.update_one(
            where, {"$set": {"cursor": cursor}}, upsert=seen is None
        )
    except DuplicateKeyError:
        return False  # another worker began it
    return bool(moved.matched_count or moved.upserted_id is not None)
