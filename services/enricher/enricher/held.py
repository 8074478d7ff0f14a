"""Held actions: they wait for their contact, and leave that state by compare-and-set alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from enricher.bulk import once
from enricher.decision import Held
from order_contracts.identity import action_id
from order_runtime.jobs import RETENTION
from order_runtime.mongo import Document

WAITING: Final = "waiting"
DROPPED: Final = "dropped"


def hold(held: Held) -> UpdateOne:
    """Return the write that holds the action, unless it was held before."""
    return once(
        {
            "_id": action_id(held.job_id),
            "orderId": held.order_id,
            "jobId": held.job_id,
            "contactVersion": held.contact_version,
            "state": WAITING,
            "action": held.action.model_dump(exclude_none=True),
            "acceptedAt": held.accepted_at,
            "until": held.until,
            "expireAt": held.accepted_at + max(RETENTION, held.until - held.accepted_at),
        }
    )


async def drop(
    collection: AsyncCollection[Document], bounds: Mapping[str, int], now: datetime
) -> list[tuple[str, str]]:
    """
    Drop what still waits for an order (the key) at a contact version up to its bound.

    Return the orderId and jobId of every action that is dropped, now or before, so that a
    repeat finds again what a crash left half said.
    """
    if not bounds:
        return []
    states = {"$in": [WAITING, DROPPED]}
    found = collection.find({"orderId": {"$in": list(bounds)}, "state": states})
    outdated = [it async for it in found if it["contactVersion"] <= bounds[it["orderId"]]]
    if not outdated:
        return []
    ids = {"$in": [it["_id"] for it in outdated]}
    dropping = {"$set": {"state": DROPPED, "droppedAt": now}}
    await collection.update_many({"_id": ids, "state": WAITING}, dropping)
    dropped = collection.find({"_id": ids, "state": DROPPED}, {"orderId": 1, "jobId": 1})
    return [(it["orderId"], it["jobId"]) async for it in dropped]


async def ensure_indexes(collection: AsyncCollection[Document]) -> None:
    await collection.create_index("orderId")
    await collection.create_index("until", partialFilterExpression={"state": WAITING})
    await collection.create_index("expireAt", expireAfterSeconds=0)
