"""Held actions: they wait for their contact, and leave that state by compare-and-set alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from enricher.adapters.bulk_writes import insert_once
from enricher.domain.model import HeldAction, HoldState
from order_contracts.decoding import at_rest
from order_contracts.identity import action_id
from order_contracts.order import ActionRequest
from order_runtime.documents.jobs import RETENTION
from order_runtime.mongo.client import Document

_SPENT: Final = ("untoldSince", "message", "action.language", "action.data")


def hold(held: HeldAction) -> UpdateOne:
    """Return the write that holds the action, unless it was held before."""
    return insert_once(
        {
            "_id": action_id(held.job_id),
            "orderId": held.order_id,
            "jobId": held.job_id,
            "version": held.version,
            "contactVersion": held.contact_version,
            "state": str(held.state),
            "action": held.action.model_dump(exclude_none=True),
            "acceptedAt": held.accepted_at,
            "until": held.until,
            "expireAt": held.accepted_at + max(RETENTION, held.until - held.accepted_at),
        }
    )


def held_of(document: Document) -> HeldAction:
    return HeldAction(
        job_id=document["jobId"],
        order_id=document["orderId"],
        version=document["version"],
        contact_version=document["contactVersion"],
        action=at_rest(ActionRequest, document["action"]),
        accepted_at=document["acceptedAt"],
        until=document["until"],
        state=HoldState(document["state"]),
        message=document.get("message"),
        unannounced="untoldSince" in document,
    )


def firing(held: HeldAction, message: bytes, now: datetime) -> UpdateOne:
    """
    Return the write that decides for firing, unless it was decided before.

    What is to be published is kept with it: the order may be gone before it is.
    """
    return _leaves_waiting(held, {"state": str(HoldState.FIRING), "message": message}, now)


def dropped(held: HeldAction, now: datetime) -> UpdateOne:
    return _leaves_waiting(held, {"state": str(HoldState.DROPPED)}, now)


def mark_announced(held: HeldAction) -> UpdateOne:
    """Return the write that says: published, and said in job and log. What it held goes."""
    state = HoldState.FIRED if held.state is HoldState.FIRING else held.state
    changes = {"$set": {"state": str(state)}, "$unset": dict.fromkeys(_SPENT, "")}
    return UpdateOne({"_id": action_id(held.job_id), "state": str(held.state)}, changes)


def _leaves_waiting(held: HeldAction, fields: Document, now: datetime) -> UpdateOne:
    waiting = {"_id": action_id(held.job_id), "state": str(HoldState.WAITING)}
    return UpdateOne(waiting, {"$set": {**fields, "untoldSince": now}})


async def held_of_orders(
    collection: AsyncCollection[Document], order_ids: Sequence[str]
) -> dict[str, list[HeldAction]]:
    """Return all that is or was held for these orders."""
    found: dict[str, list[HeldAction]] = defaultdict(list)
    async for document in collection.find({"orderId": {"$in": order_ids}}):
        found[document["orderId"]].append(held_of(document))
    return found


async def expired(collection: AsyncCollection[Document], now: datetime, limit: int) -> list[str]:
    """Return orders with an action that waits although its window is over."""
    where = {"state": str(HoldState.WAITING), "until": {"$lte": now}}
    found = collection.find(where, {"orderId": 1}).limit(limit)
    return list({document["orderId"] async for document in found})


async def unannounced(
    collection: AsyncCollection[Document], since: datetime, limit: int
) -> list[str]:
    """Return orders with an action that left `waiting` before *since* and was told no further."""
    found = collection.find({"untoldSince": {"$lte": since}}, {"orderId": 1}).limit(limit)
    return list({document["orderId"] async for document in found})


async def ensure_indexes(collection: AsyncCollection[Document]) -> None:
    await collection.create_index("orderId")
    waiting = {"state": str(HoldState.WAITING)}
    await collection.create_index("until", partialFilterExpression=waiting)
    await collection.create_index("untoldSince", sparse=True)
    await collection.create_index("expireAt", expireAfterSeconds=0)
