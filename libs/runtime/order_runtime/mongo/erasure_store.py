"""
Erasures at rest.

One document for each key of an erased contact, `_id` its hash. Kept for longer than the topics keep
what could bring the contact back, and for as long as an order waits for the key because a living
contact carries it, too.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from order_runtime.documents.document import Document, field, stored
from order_runtime.documents.erasures import ERASURE_RETENTION, Erasure, key_hash
from order_runtime.mongo.client import ERASURES
from order_runtime.process.errors import RequirementNotMet

_KEPT_MS: Final = ERASURE_RETENTION // timedelta(milliseconds=1)


def note_erasure(key_hash: str, at: datetime) -> UpdateOne:
    """
    Return the write that notes an erasure published *at*; of several the latest counts.

    `seen` is taken from the database's clock when the write is applied, from which moment every
    reader finds it: the writer's own clock may be stale, since the process may have been paused.
    It is never before *at*, although Kafka's clock may be ahead. A note that can't be read is
    replaced.
    """
    legible = {
        "$and": [{"$eq": [{"$type": name}, "date"]} for name in ("$at", "$seen", "$expireAt")]
    }
    before = {"$cond": [legible, "$at", None]}
    later = {"$gt": [at, before]}  # anything is greater than nothing
    fields: dict[str, Any] = {
        "at": {"$max": [before, at]},
        "seen": {"$cond": [later, {"$max": ["$$NOW", at]}, "$seen"]},
        "expireAt": {"$cond": [later, {"$add": ["$$NOW", _KEPT_MS]}, "$expireAt"]},
    }
    return UpdateOne({"_id": key_hash}, [{"$set": fields}], upsert=True)


def keep_erasures(hashes: Collection[str]) -> tuple[Document, list[dict[str, Any]]]:
    """Return the update, for `update_many`, that keeps notes for as long as if made now."""
    return {"_id": {"$in": sorted(hashes)}}, [{"$set": {"expireAt": {"$add": ["$$NOW", _KEPT_MS]}}}]


async def find_erasures(
    erasures: AsyncCollection[Document], hashes: Collection[str]
) -> dict[str, Erasure]:
    """Return those of these hashes that were erased; raises UnreadableStored."""
    if not hashes:
        return {}
    documents = erasures.find({"_id": {"$in": list(hashes)}})
    return {it["_id"]: stored(ERASURES, it, _erasure_of) async for it in documents}


def _erasure_of(document: Document) -> Erasure:
    return Erasure(field(document, "at", datetime), field(document, "seen", datetime))


async def require_same_secret(erasures: AsyncCollection[Document], secret: bytes) -> None:
    """Raise RequirementNotMet where another secret was used before: nobody would be known again."""
    check = {"$setOnInsert": {"check": key_hash(secret, "check")}}
    await erasures.update_one({"_id": "secret"}, check, upsert=True)
    if not await erasures.find_one({"_id": "secret", "check": key_hash(secret, "check")}):
        raise RequirementNotMet(
            "ORDERMILL_ERASURE_SECRET is not the one that erased contacts are known by. Give the"
            " enricher and the action-trigger the one that they had."
        )
