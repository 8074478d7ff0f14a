"""Held actions at rest: each leaves the state `waiting` once, by compare-and-set."""

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
from order_contracts.derived_ids import action_id
from order_contracts.order import ActionRequest
from order_runtime.documents.jobs import RETENTION
from order_runtime.mongo.client import Document

_SPENT: Final = ("untoldSince", "message", "action.language", "action.data")


def hold_write(held: HeldAction) -> UpdateOne:
    """Return the insertion of a held action, unless it was inserted before."""
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


def held_action_of(document: Document) -> HeldAction:
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


def fire_write(held: HeldAction, message: bytes, now: datetime) -> UpdateOne:
    """
    Return the change from `waiting` to `firing`; one that ended before is left as it is.

    The message is stored with it: the order may be deleted before the message is published.
    """
    return _leaves_waiting(held, {"state": str(HoldState.FIRING), "message": message}, now)


def drop_write(held: HeldAction, now: datetime) -> UpdateOne:
    """Return the change from `waiting` to `dropped`; one that ended before is left as it is."""
    return _leaves_waiting(held, {"state": str(HoldState.DROPPED)}, now)


def announced_write(held: HeldAction) -> UpdateOne:
    """Return the write that marks an end as published and recorded, and removes personal data."""
    state = HoldState.FIRED if held.state is HoldState.FIRING else held.state
    changes = {"$set": {"state": str(state)}, "$unset": dict.fromkeys(_SPENT, "")}
    return UpdateOne({"_id": action_id(held.job_id), "state": str(held.state)}, changes)


def _leaves_waiting(held: HeldAction, fields: Document, now: datetime) -> UpdateOne:
    waiting = {"_id": action_id(held.job_id), "state": str(HoldState.WAITING)}
    return UpdateOne(waiting, {"$set": {**fields, "untoldSince": now}})


async def held_actions_of(
    collection: AsyncCollection[Document], order_ids: Sequence[str]
) -> dict[str, list[HeldAction]]:
    """Return the held actions of these orders, in any state."""
    found: dict[str, list[HeldAction]] = defaultdict(list)
    async for document in collection.find({"orderId": {"$in": order_ids}}):
        found[document["orderId"]].append(held_action_of(document))
    return found


async def expired(collection: AsyncCollection[Document], now: datetime, limit: int) -> list[str]:
    """Return orders with an action that still waits after the end of its window."""
    where = {"state": str(HoldState.WAITING), "until": {"$lte": now}}
    found = collection.find(where, {"orderId": 1}).limit(limit)
    return list({document["orderId"] async for document in found})


async def unannounced(
    collection: AsyncCollection[Document], since: datetime, limit: int
) -> list[str]:
    """Return orders with an action that ended before *since* and was not marked as announced."""
    found = collection.find({"untoldSince": {"$lte": since}}, {"orderId": 1}).limit(limit)
    return list({document["orderId"] async for document in found})


async def ensure_indexes(collection: AsyncCollection[Document]) -> None:
    await collection.create_index("orderId")
    waiting = {"state": str(HoldState.WAITING)}
    await collection.create_index("until", partialFilterExpression=waiting)
    await collection.create_index("untoldSince", sparse=True)
    await collection.create_index("expireAt", expireAfterSeconds=0)
