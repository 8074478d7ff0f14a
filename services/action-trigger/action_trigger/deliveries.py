"""The deliveries in MongoDB: what is to be sent, what was tried, what became of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from pymongo import ASCENDING, AsyncMongoClient, IndexModel, UpdateOne
from pymongo.errors import BulkWriteError

from action_trigger.delivery import PENDING, Attempt, Head, Recorded, Settled
from action_trigger.documents import head_of, new, record_of, settled_of, update_of
from order_contracts.order import ActionName
from order_runtime.mongo import ACTION_DELIVERIES, CODEC, Document
from order_runtime.records import Record

_DUPLICATE_KEY: Final = 11000
_INDEXES: Final = (
    IndexModel(
        [("partition", ASCENDING), ("action", ASCENDING), ("dueAt", ASCENDING)],
        name="due",
        partialFilterExpression={"state": PENDING},
    ),
    IndexModel(
        [("partition", ASCENDING), ("settledAt", ASCENDING)],
        name="unannounced",
        partialFilterExpression={"announced": False},
    ),
    IndexModel([("orderId", ASCENDING), ("offset", ASCENDING)], name="order"),
    IndexModel([("expireAt", ASCENDING)], name="expiry", expireAfterSeconds=0),
)
_HEAD: Final = (
    *("orderId", "partition", "offset", "action", "size"),
    *("attempts.state", "scheduled", "dueAt", "createdAt"),
)


class Deliveries:
    """One document an action, under the action's id: the database drops what comes twice."""

    def __init__(self, client: AsyncMongoClient[Document], database: str) -> None:
        self._all = client.get_database(database)[ACTION_DELIVERIES].with_options(CODEC)

    async def ensure_indexes(self) -> None:
        await self._all.create_indexes(list(_INDEXES))

    async def record(self, actions: Sequence[Recorded], now: datetime) -> None:
        """Insert what is new, due at once; what is there already stays as it is."""
        try:
            await self._all.insert_many([new(item, now) for item in actions], ordered=False)
        except BulkWriteError as error:
            if error.details.get("writeConcernErrors") or not _only_duplicates(error):
                raise

    async def queue(
        self, partitions: Collection[int], actions: Collection[ActionName], limit: int
    ) -> list[Head]:
        """Return the pending deliveries that are due first, also those that aren't due yet."""
        where = {
            "partition": {"$in": sorted(partitions)},
            "action": {"$in": [str(action) for action in actions]},
            "state": PENDING,
        }
        found = self._all.find(where, _HEAD, hint="due").sort("dueAt", ASCENDING).limit(limit)
        return [head_of(document) async for document in found]

    async def pending_of(self, order_ids: Collection[str]) -> list[Head]:
        """Return all pending deliveries of these orders."""
        where = {"orderId": {"$in": list(order_ids)}, "state": PENDING}
        return [head_of(document) async for document in self._all.find(where, _HEAD, hint="order")]

    async def bodies(self, ids: Collection[str]) -> dict[str, str]:
        found = self._all.find({"_id": {"$in": list(ids)}}, {"body": 1})
        return {document["_id"]: document["body"] async for document in found}

    async def postpone(self, times: Sequence[tuple[Head, datetime]]) -> None:
        """Make deliveries due later, because an earlier one of their order goes first."""
        await self._write(
            [
                UpdateOne({"_id": head.id, "state": PENDING}, {"$set": {"dueAt": at}})
                for head, at in times
            ]
        )

    async def attempted(self, attempts: Sequence[Attempt]) -> None:
        """Record attempts and what follows from them; to do it twice is harmless."""
        await self._write([update_of(attempt) for attempt in attempts])

    async def unannounced(self, partitions: Collection[int], limit: int) -> list[Settled]:
        """Return deliveries that came to an end which nobody was told of, the oldest first."""
        where = {"partition": {"$in": sorted(partitions)}, "announced": False}
        fields = {"body": 0, "record": 0, "attempts.answer": 0}
        found = self._all.find(where, fields, hint="unannounced").sort("settledAt").limit(limit)
        return [settled_of(document) async for document in found]

    async def original(self, action_id: str) -> Record | None:
        """Return the record that the action came in; None where it has expired."""
        document = await self._all.find_one({"_id": action_id}, {"record": 1})
        return record_of(document["record"]) if document else None

    async def announced(self, settled: Sequence[Settled]) -> None:
        """Mark them; one that was replayed meanwhile has another end still to come."""
        await self._write(
            [
                UpdateOne({"_id": item.id, "settledAt": item.at}, {"$set": {"announced": True}})
                for item in settled
            ]
        )

    async def _write(self, writes: list[UpdateOne]) -> None:
        if writes:
            await self._all.bulk_write(writes, ordered=False)


def _only_duplicates(error: BulkWriteError) -> bool:
    return all(item["code"] == _DUPLICATE_KEY for item in error.details["writeErrors"])
