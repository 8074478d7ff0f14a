"""Held actions at rest: each leaves the state `waiting` once, by compare-and-set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime
from typing import Final

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from enricher.adapters.bulk_writes import insert_once
from enricher.domain.model import HeldAction, HoldState
from order_contracts.decoding import at_rest
from order_contracts.derived_ids import action_id
from order_contracts.integration_log import DropReason
from order_contracts.order import ActionRequest
from order_runtime.documents.document import field, optional, stored
from order_runtime.documents.jobs import RETENTION
from order_runtime.mongo.client import HELD, Document
from order_runtime.process.unreadable import readable

_WAITING: Final = {"state": str(HoldState.WAITING)}
_SPENT: Final = ("untoldSince", "message", "action.language", "action.data")


def hold_write(held: HeldAction) -> UpdateOne:
    """Return the insertion of a held action, unless it was inserted before."""
    trace = {"traceparent": held.traceparent} if held.traceparent else {}
    return insert_once(
        {
            **trace,
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
        job_id=field(document, "jobId", str),
        order_id=field(document, "orderId", str),
        version=field(document, "version", int),
        contact_version=field(document, "contactVersion", int),
        action=at_rest(ActionRequest, document["action"]),
        accepted_at=field(document, "acceptedAt", datetime),
        until=field(document, "until", datetime),
        state=HoldState(document["state"]),
        reason=DropReason(document["reason"]) if "reason" in document else None,
        message=optional(document, "message", bytes),
        traceparent=optional(document, "traceparent", str),
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
    reason = {"reason": str(held.reason)} if held.reason is not None else {}
    return _leaves_waiting(held, {"state": str(HoldState.DROPPED), **reason}, now)


def announced_write(held: HeldAction) -> UpdateOne:
    """Return the write that marks an end as published and recorded, and removes personal data."""
    state = HoldState.FIRED if held.state is HoldState.FIRING else held.state
    changes = {"$set": {"state": str(state)}, "$unset": dict.fromkeys(_SPENT, "")}
    return UpdateOne({"_id": action_id(held.job_id), "state": str(held.state)}, changes)


def _leaves_waiting(held: HeldAction, fields: Document, now: datetime) -> UpdateOne:
    waiting = {"_id": action_id(held.job_id), **_WAITING}
    return UpdateOne(waiting, {"$set": {**fields, "untoldSince": now}})


async def held_actions_of(
    collection: AsyncCollection[Document],
    order_ids: Sequence[str],
    jobs: Collection[str] = (),
) -> dict[str, list[HeldAction]]:
    """
    Return the open held actions of these orders: waiting ones, and those ended but not announced.

    Also those of *jobs*, in any state: jobs that said that their action is held after another
    worker may have ended it. Raises UnreadableStored.
    """
    found: dict[str, list[HeldAction]] = defaultdict(list)
    of_orders = {"orderId": {"$in": list(order_ids)}}
    # A state that isn't known is not an end: what can't be read must not be taken for nothing.
    not_ended = {"state": {"$nin": [str(HoldState.DROPPED), str(HoldState.FIRED)]}}
    open_ones: list[Document] = [not_ended, {"untoldSince": {"$exists": True}}]
    if jobs:
        open_ones.append({"_id": {"$in": [action_id(it) for it in jobs]}})
    async for document in collection.find({"$or": [{**of_orders, **it} for it in open_ones]}):
        found[document["orderId"]].append(stored(HELD, document, held_action_of))
    return found


async def expired(
    collection: AsyncCollection[Document], now: datetime, limit: int
) -> AsyncIterator[list[str]]:
    """
    Yield orders with an action that still waits after the end of its window, up to *limit* at once.

    Each action is met once, whether it is dropped meanwhile or not.
    """
    where = {**_WAITING, "until": {"$lte": now}}
    async for order_ids in _orders_of(collection, where, limit):
        yield order_ids


async def unannounced(
    collection: AsyncCollection[Document], since: datetime, limit: int
) -> AsyncIterator[list[str]]:
    """
    Yield orders with an action that ended before *since* and was not marked as announced.

    Up to *limit* at once; each action is met once.
    """
    async for order_ids in _orders_of(collection, {"untoldSince": {"$lte": since}}, limit):
        yield order_ids


async def _orders_of(
    collection: AsyncCollection[Document], where: Document, limit: int
) -> AsyncIterator[list[str]]:
    """Yield the orders of the held actions that meet *where*."""
    found = collection.find(where, {"orderId": 1}).batch_size(limit)
    order_ids: dict[str, None] = {}
    async with found:
        async for document in found:
            order_id = readable(HELD, document, lambda it: field(it, "orderId", str))
            if order_id is not None:
                order_ids[order_id] = None
            if len(order_ids) == limit:
                yield list(order_ids)
                order_ids = {}
    if order_ids:
        yield list(order_ids)
