"""Where the group goes on in `orders.commands`, stored in MongoDB in each batch's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from pymongo import MongoClient, UpdateOne, timeout
from pymongo.client_session import ClientSession

from order_contracts.topics import COMMANDS
from order_runtime.documents.consumer_offsets import GroupOffsets, Offsets, numbered
from order_runtime.mongo.client import COMMITTED, CONSUMER_OFFSETS, Document
from order_writer.domain.offset_tracker import StoredOffsetsBehind

SECONDS: Final = 2.0  # for what the consumer waits for; it is asked again


class StoredOffsets:
    """
    The next offset of each partition, as MongoDB has it and as it was seen last; for one thread.

    An offset is stored with what the commands before it did, and is never lowered. One that is
    below what was seen means that MongoDB was restored to an earlier time.
    """

    def __init__(self, client: MongoClient[Document], database: str, group: GroupOffsets) -> None:
        self._all = client.get_database(database)[CONSUMER_OFFSETS]
        self._group = group
        self._seen: dict[tuple[str, int], int] = {}

    def begin(self, committed: Mapping[int, int]) -> dict[int, int]:
        """
        Return what is stored of partitions that begin, by number.

        Where nothing is stored, Kafka's committed offset is. Raises PyMongoError.
        """
        with timeout(SECONDS):
            found = self._read(committed)
            new = {place: at for place, at in _places(committed).items() if place not in found}
            if new:
                self._all.bulk_write([UpdateOne(*it, upsert=True) for it in self._group.adopt(new)])
        self._seen |= found | new
        return {number: at for (_, number), at in (found | new).items()}

    def check(self, partitions: Iterable[int]) -> None:
        """Raise StoredOffsetsBehind where less is stored than was seen, and PyMongoError."""
        with timeout(SECONDS):
            found = self._read(partitions)
        if any(found.get(place, 0) < self._seen.get(place, 0) for place in _named(partitions)):
            raise StoredOffsetsBehind

    def settle(self, offsets: Mapping[int, int]) -> None:
        """Raise what is stored to *offsets*, without a batch; raises as `advance` does."""
        with timeout(SECONDS):
            self.advance(offsets)
        self.advanced(offsets)

    def advance(self, offsets: Mapping[int, int], session: ClientSession | None = None) -> None:
        """
        Raise what is stored to *offsets*, in the transaction of *session* where there is one.

        Raises StoredOffsetsBehind, and PyMongoError.
        """
        writes = [UpdateOne(*it) for it in self._group.advance(_places(offsets), self._seen)]
        if not writes:
            return
        done = self._all.bulk_write(writes, ordered=False, session=session)
        if done.matched_count < len(writes):
            raise StoredOffsetsBehind

    def advanced(self, offsets: Mapping[int, int]) -> None:
        """Note that *offsets* are stored for good."""
        for place, offset in _places(offsets).items():
            self._seen[place] = max(offset, self._seen.get(place, 0))

    def _read(self, partitions: Iterable[int]) -> dict[tuple[str, int], int]:
        collection = self._all.with_options(read_concern=COMMITTED)
        return self._group.read(collection.find(self._group.query(_named(partitions))))


def _named(partitions: Iterable[int]) -> list[tuple[str, int]]:
    return numbered(COMMANDS.name, list(partitions))


def _places(offsets: Mapping[int, int]) -> Offsets:
    return {(COMMANDS.name, number): offset for number, offset in offsets.items()}
