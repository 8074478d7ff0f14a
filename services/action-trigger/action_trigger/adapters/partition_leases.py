"""A lease for each partition: around a rebalance it keeps two workers from sending the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Final

from pymongo import AsyncMongoClient, UpdateOne

from action_trigger.metrics import PARTITIONS
from order_runtime.mongo.client import CODEC, LEASES, Document
from order_runtime.process.retry import retry_transient

SLACK: Final = 6.0  # seconds that a lease is longer than the longest request
RENEWALS: Final = 3  # in the time of a lease's slack
RETRY_HELD_SECONDS: Final = (
    1.0  # seconds between two looks at a lease that somebody else still holds
)
_PAST: Final = datetime(1970, 1, 1, tzinfo=UTC)


class PartitionLeases:
    """
    Says which partitions' deliveries this process may send.

    A partition is ours while Kafka assigned it to us and its lease, by the database's clock, is
    ours. The same instance, started again, takes its own leases back at once.
    """

    def __init__(
        self, client: AsyncMongoClient[Document], database: str, owner: str, longest: float
    ) -> None:
        self._all = client.get_database(database)[LEASES].with_options(CODEC)
        self._owner = owner
        self.longest = longest
        """Seconds that a request may take; may change, for each is begun only if covered."""
        self._until: dict[int, float] = {}  # by this process's monotonic clock
        self._assigned: frozenset[int] = frozenset()
        self._changed = asyncio.Event()

    def assign(self, partitions: Collection[int]) -> None:
        """Take note of what Kafka gives us; from now on nothing else is begun."""
        self._assigned = frozenset(partitions)
        self._changed.set()

    def held(self, seconds: float = 0.0) -> list[int]:
        """Return the partitions that stay ours for *seconds*."""
        return [p for p in sorted(self._assigned) if self.covers(p, seconds)]

    def covers(self, partition: int, seconds: float) -> bool:
        """Return whether *partition* stays ours for *seconds*, whatever happens to the group."""
        until = self._until.get(partition, 0.0)
        return partition in self._assigned and until > _monotonic() + seconds

    async def keep(
        self, busy: Callable[[], Collection[int]], taken: Callable[[], None], stop: asyncio.Event
    ) -> None:
        """
        Take, renew and give back leases until *stop*.

        *busy* tells the partitions with requests in flight: their leases are kept although Kafka
        took the partition away. *taken* is called when there is a new one, or one
        that was renewed so late that nothing was begun any more.
        """
        while not stop.is_set():
            self._changed.clear()
            wanted = self._assigned | set(busy())
            gone = set(self._until) - wanted
            new = await retry_transient(lambda wanted=wanted: self._take(wanted))  # type: ignore[misc]
            await retry_transient(lambda gone=gone: self._give_back(gone))  # type: ignore[misc]
            PARTITIONS.set(len(self._until))
            if new:
                taken()
            complete = wanted <= set(self._until) and wanted == self._assigned
            await self._wait(SLACK / RENEWALS if complete else RETRY_HELD_SECONDS, stop)

    def _sendable(self) -> set[int]:
        return set(self.held(self.longest))

    async def give_back_all(self) -> None:
        await self._give_back(set(self._until))

    async def _wait(self, seconds: float, stop: asyncio.Event) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (self._changed, stop)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _take(self, wanted: Collection[int]) -> bool:
        """Return whether something can be sent now that couldn't a moment ago."""
        if not wanted:
            return False
        began = _monotonic()  # before the database looked at its clock: ours ends first
        ours_or_over = {
            "$or": [
                {"$eq": ["$owner", self._owner]},
                {"$lt": ["$until", "$$NOW"]},
            ]
        }
        seconds = self.longest + SLACK
        until = {"$add": ["$$NOW", int(seconds * 1000)]}
        await self._make(wanted)
        await self._all.update_many(
            {"_id": {"$in": list(wanted)}, "$expr": ours_or_over},
            [{"$set": {"owner": self._owner, "until": until}}],
        )
        mine = self._all.find({"_id": {"$in": list(wanted)}, "owner": self._owner}, {"_id": 1})
        held = {document["_id"] async for document in mine}
        before = self._sendable()
        self._until = {
            **{partition: end for partition, end in self._until.items() if partition not in wanted},
            **dict.fromkeys(held, began + seconds),
        }
        return bool(self._sendable() - before)

    async def _make(self, wanted: Collection[int]) -> None:
        """Make leases that have never been; they are over."""
        new = [partition for partition in wanted if partition not in self._until]
        if new:
            over = {"$setOnInsert": {"owner": "", "until": _PAST}}
            await self._all.bulk_write(
                [UpdateOne({"_id": partition}, over, upsert=True) for partition in new],
                ordered=False,
            )

    async def _give_back(self, gone: Collection[int]) -> None:
        if not gone:
            return
        await self._all.update_many(
            {"_id": {"$in": list(gone)}, "owner": self._owner}, {"$set": {"until": _PAST}}
        )
        self._until = {
            partition: end for partition, end in self._until.items() if partition not in gone
        }


def _monotonic() -> float:
    return asyncio.get_running_loop().time()
