"""The actions that an order was asked for last, from its jobs: whatever became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pymongo.asynchronous.database import AsyncDatabase

from enricher.domain.action_ends import MAX_HELD
from enricher.domain.model import RequestedAction
from order_contracts.decoding import at_rest
from order_contracts.order import ActionRequest
from order_runtime.documents.document import field, stored
from order_runtime.mongo.client import JOBS, ORDERS, Document
from order_runtime.mongo.collections import REQUESTED

_NEWEST: Final[list[Document]] = [
    {"$match": REQUESTED.partial},
    {"$sort": {"version": -1}},
    {"$limit": MAX_HELD},
    {"$project": {"version": 1, "action": 1}},
]


async def requested_actions(
    database: AsyncDatabase[Document], order_ids: Sequence[str]
) -> dict[str, list[RequestedAction]]:
    """
    Return the MAX_HELD newest actions that commands embedded, of those of these orders that exist.

    Their events may be handled or not. Raises UnreadableStored.
    """
    if not order_ids:
        return {}
    jobs: dict[str, Any] = {"from": JOBS, "localField": "_id", "foreignField": "orderId"}
    found = await database[ORDERS].aggregate(
        [
            {"$match": {"_id": {"$in": list(order_ids)}, "deletedAt": {"$exists": False}}},
            {"$project": {"_id": 1}},
            {"$lookup": {**jobs, "pipeline": _NEWEST, "as": "jobs"}},
        ]
    )
    return {
        it["_id"]: [stored(JOBS, job, _requested_action_of) for job in it["jobs"]]
        async for it in found
    }


def _requested_action_of(job: Document) -> RequestedAction:
    return RequestedAction(field(job, "version", int), at_rest(ActionRequest, job["action"]))
