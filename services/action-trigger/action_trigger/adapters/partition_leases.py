"""Leases of partitions: during a rebalance they keep two workers from sending the same webhook."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Final

from pymongo import AsyncMongoClient, UpdateOne

from action_trigger.metrics import PARTITIONS
from order_runtime.mongo.client import CODEC, LEASES, Document
from order_runtime.process.retry import retry_transient

SLACK: Final = 6.0  # seconds by which a lease outlasts the longest request
RENEWALS: Final = 3  # within the slack
RETRY_HELD_SECONDS: Final = 1.0  # before another try at a lease that another worker still holds
_PAST: Final = datetime(1970, 1, 1, tzinfo=UTC)


def elapsed_with_suspension() -> float:
    """
    Return seconds that also pass while the machine is suspended.

    The event loop's clock stands still then: a lease that another worker has taken over meanwhile
    would seem to last. Where the system has no such clock, it is the monotonic one.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class PartitionLeases:
    """
    The partitions whose deliveries this process may send.

    A partition is held while Kafka assigns it to this process and its lease, by MongoDB's clock,
    has this process as owner. A restarted instance acquires its own leases again at once.
    """

    def __init__(
        self,
        client: AsyncMongoClient[Document],
        database: str,
        owner: str,
        longest: float,
        clock: Callable[[], float] = elapsed_with_suspension,
    ) -> None:
        self._all = client.get_database(database)[LEASES].with_options(CODEC)
        self._owner = owner
        self.longest = longest
        """The longest timeout of a request, in seconds; changes with the webhooks file."""
        self._clock = clock
        self._until: dict[int, float] = {}  # by that clock
        self._assigned: frozenset[int] = frozenset()
        self._changed = asyncio.Event()

    def assign(self, partitions: Collection[int]) -> None:
        """Replace the assigned partitions; no request is started for any other."""
        self._assigned = frozenset(partitions)
        self._changed.set()

    def held(self, seconds: float = 0.0) -> list[int]:
        """Return the partitions that are held for *seconds* more."""
        return [it for it in sorted(self._assigned) if self.covers(it, seconds)]

    def covers(self, partition: int, seconds: float) -> bool:
        """Return whether *partition* is assigned and its lease lasts for *seconds* more."""
        until = self._until.get(partition, 0.0)
        return partition in self._assigned and until > self._clock() + seconds

    async def keep(
        self, busy: Callable[[], Collection[int]], acquired: Callable[[], None], stop: asyncio.Event
    ) -> None:
        """
        Acquire, renew and release leases until *stop*.

        *busy* returns the partitions with requests in flight: their leases are renewed even when
        Kafka has revoked the partition. *acquired* is called when requests can be sent that could
        not be before: a lease is new, or was renewed too late to cover them in between.
        """
        while not stop.is_set():
            self._changed.clear()
            wanted = self._assigned | set(busy())
            unwanted = set(self._until) - wanted
            sendable_more = await retry_transient(lambda wanted=wanted: self._acquire(wanted))  # type: ignore[misc]
            await retry_transient(lambda unwanted=unwanted: self._release(unwanted))  # type: ignore[misc]
            PARTITIONS.set(len(self._until))
            if sendable_more:
                acquired()
            complete = wanted <= set(self._until) and wanted == self._assigned
            await self._wait(SLACK / RENEWALS if complete else RETRY_HELD_SECONDS, stop)

    def _sendable(self) -> set[int]:
        return set(self.held(self.longest))

    async def give_back_all(self) -> None:
        await self._release(set(self._until))

    async def _wait(self, seconds: float, stop: asyncio.Event) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (self._changed, stop)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _acquire(self, wanted: Collection[int]) -> bool:
        """Return whether a partition is held for the longest request now that was not before."""
        if not wanted:
            return False
        # Read before MongoDB reads its own clock, so that the lease ends earlier here than there.
        started = self._clock()
        ours_or_expired = {
            "$or": [
                {"$eq": ["$owner", self._owner]},
                {"$lt": ["$until", "$$NOW"]},
            ]
        }
        seconds = self.longest + SLACK
        until = {"$add": ["$$NOW", int(seconds * 1000)]}
        await self._create_missing(wanted)
        await self._all.update_many(
            {"_id": {"$in": list(wanted)}, "$expr": ours_or_expired},
            [{"$set": {"owner": self._owner, "until": until}}],
        )
        ours = self._all.find({"_id": {"$in": list(wanted)}, "owner": self._owner}, {"_id": 1})
        held = {document["_id"] async for document in ours}
        before = self._sendable()
        self._until = {
            **{partition: end for partition, end in self._until.items() if partition not in wanted},
            **dict.fromkeys(held, started + seconds),
        }
        return bool(self._sendable() - before)

    async def _create_missing(self, wanted: Collection[int]) -> None:
        """Create expired leases for partitions that never had one."""
        new = [partition for partition in wanted if partition not in self._until]
        if new:
            expired = {"$setOnInsert": {"owner": "", "until": _PAST}}
            await self._all.bulk_write(
                [UpdateOne({"_id": partition}, expired, upsert=True) for partition in new],
                ordered=False,
            )

    async def _release(self, partitions: Collection[int]) -> None:
        if not partitions:
            return
        await self._all.update_many(
            {"_id": {"$in": list(partitions)}, "owner": self._owner}, {"$set": {"until": _PAST}}
        )
        self._until = {
            partition: end for partition, end in self._until.items() if partition not in partitions
        }
