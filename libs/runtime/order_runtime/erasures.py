"""
Who was erased, without saying who: what must not come back is known by keyed hashes.

One document for each key of an erased contact, `_id` the hash. Kept for longer than the topics
keep what could bring the contact back, and no longer.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from order_contracts.order import MatchKeyType
from order_runtime.documents import Document
from order_runtime.endings import AssumptionBroken

KEPT: Final = timedelta(days=31)
SHORTEST: Final = 32  # characters of the secret


@dataclass(frozen=True, slots=True)
class Erasure:
    """When a contact was erased."""

    at: datetime
    """When its tombstone was published."""
    seen: datetime
    """When the tombstone was first looked at: until then the contact seemed to be there."""

    def covers(self, registered_at: datetime, accepted_at: datetime) -> bool:
        """
        Return whether a command belongs to what was erased.

        It does on an order that was registered before: an order that is registered later for the
        same person is a new relation.
        """
        return registered_at <= self.at and accepted_at <= self.seen


def id_key(contact_id: str) -> str:
    """Return the key of a contact whose id is known: type and comparable value."""
    return f"{MatchKeyType.CONTACT_ID}:{contact_id.strip()}"


def hashed(secret: bytes, key: str) -> str:
    """Return what *key* is kept as; without the secret nobody can try keys against it."""
    return hmac.digest(secret, key.encode(), "sha256").hex()


def noted(key_hash: str, at: datetime, now: datetime) -> UpdateOne:
    """Return the write that notes an erasure; the latest counts, and when it was first seen."""
    later = {"$gt": [at, "$at"]}  # anything is greater than a field that isn't there
    fields: dict[str, Any] = {
        "at": {"$max": ["$at", at]},
        "seen": {"$cond": [later, now, "$seen"]},
        "expireAt": {"$cond": [later, now + KEPT, "$expireAt"]},
    }
    return UpdateOne({"_id": key_hash}, [{"$set": fields}], upsert=True)


async def found(erasures: AsyncCollection[Document], hashes: Collection[str]) -> dict[str, Erasure]:
    """Return those of these hashes that were erased."""
    if not hashes:
        return {}
    documents = erasures.find({"_id": {"$in": list(hashes)}})
    return {it["_id"]: Erasure(it["at"], it["seen"]) async for it in documents}


async def same_secret(erasures: AsyncCollection[Document], secret: bytes) -> None:
    """Raise AssumptionBroken where another secret was used before: nobody would be known again."""
    check = {"$setOnInsert": {"check": hashed(secret, "check")}}
    await erasures.update_one({"_id": "secret"}, check, upsert=True)
    if not await erasures.find_one({"_id": "secret", "check": hashed(secret, "check")}):
        raise AssumptionBroken(
            "ORDERMILL_ERASURE_SECRET is not the one that erased contacts are known by. Give the"
            " enricher and the action-trigger the one that they had."
        )


async def ensure_indexes(erasures: AsyncCollection[Document]) -> None:
    await erasures.create_index("expireAt", expireAfterSeconds=0)
