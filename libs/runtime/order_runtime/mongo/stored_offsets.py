"""Stored offsets of a service that runs an event loop: raised after the effects, and watched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

from pymongo import AsyncMongoClient, UpdateOne

from order_runtime.documents.consumer_offsets import (
    GroupOffsets,
    Offsets,
    behind,
    restored_sentence,
)
from order_runtime.kafka.records import Record, next_offsets
from order_runtime.mongo.client import COMMITTED, CONSUMER_OFFSETS, Document
from order_runtime.process.errors import DatabaseBehind
from order_runtime.process.retry import retry_transient

WATCH_SECONDS: Final = 5.0  # between two looks at what is stored


class StoredOffsets:
    """Where a consumer group goes on, as MongoDB has it."""

    def __init__(
        self, client: AsyncMongoClient[Document], database: str, group: GroupOffsets, seen: Offsets
    ) -> None:
        self._all = client.get_database(database).get_collection(
            CONSUMER_OFFSETS, read_concern=COMMITTED
        )
        self._group = group
        self._seen = dict(seen)

    async def advance(self, records: Sequence[Record]) -> None:
        """
        Store that the effects of *records* are stored; returns before their offsets are committed.

        Waits for MongoDB where it is away. Raises DatabaseBehind where it was restored meanwhile.
        """
        offsets = next_offsets(records)
        writes = [UpdateOne(*it) for it in self._group.advance(offsets, self._seen)]
        if not writes:
            return
        done = await retry_transient(lambda: self._all.bulk_write(writes, ordered=False))
        reached = {place: max(at, self._seen.get(place, 0)) for place, at in offsets.items()}
        if done.matched_count < len(writes):
            await self._require(reached)
        self._seen |= reached

    async def check(self) -> None:
        """Raise DatabaseBehind where less is stored than was seen before."""
        await self._require(dict(self._seen))  # as it is now: advance() may raise it meanwhile

    async def _require(self, offsets: Offsets) -> None:
        found = await retry_transient(lambda: self._all.find(self._group.query(offsets)).to_list())
        if lowered := behind(self._group.read(found), offsets):
            raise DatabaseBehind(restored_sentence(self._group.group, lowered, offsets))

    async def watch(self, stop: asyncio.Event) -> None:
        """Check every WATCH_SECONDS until *stop*: a record may be long in coming."""
        while not stop.is_set():
            await self.check()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), WATCH_SECONDS)

    @asynccontextmanager
    async def watched(self, stop: asyncio.Event) -> AsyncIterator[None]:
        """Watch beside the block; an exception sets *stop* and is raised on exit."""
        watching = asyncio.create_task(self.watch(stop))
        watching.add_done_callback(lambda _: stop.set())
        try:
            yield
        finally:
            watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
