"""The offsets to commit: of settled records, and again where the broker refused. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from order_runtime.kafka.records import Record

NO_OFFSETS: Final[Mapping[int, int]] = MappingProxyType({})


class StoredOffsetsBehind(Exception):
    """The database stores a lower offset than before: it was restored to an earlier time."""


def ends(records: Iterable[Record]) -> dict[int, int]:
    """Return the offset behind the last of *records* in each partition."""
    return {it.partition: it.offset + 1 for it in records}


class OffsetTracker:
    """
    The next offset of each assigned partition, and which of them are still to be committed.

    A commit that is refused during a rebalance does no harm while more records come, since the
    next commit covers it. Where none come, the group would show a lag for ever and, once
    retention has deleted the records, look like one that lost them. So a refused offset is
    committed again.
    """

    def __init__(self) -> None:
        self._held: set[int] = set()  # assigned without interruption since the last take
        self._settled: dict[int, int] = {}
        self._due: set[int] = set()

    def taken(self, partitions: Iterable[int]) -> None:
        """Note that a batch was taken while *partitions* were assigned."""
        self._held = set(partitions)

    def settled(self, records: Iterable[Record]) -> None:
        """
        Note that *records* are settled.

        Those of partitions that were lost since they were taken don't count: the offsets of
        these are for the new owner to commit.
        """
        new = ends(it for it in records if it.partition in self._held)
        self._settled |= new
        self._due |= new.keys()

    def ahead(self, positions: Mapping[int, int]) -> dict[int, int]:
        """
        Return those of *positions* that are past the last settled record.

        Commit markers and the records of aborted transactions have offsets, too.
        """
        return {it: at for it, at in positions.items() if at > self._settled.get(it, -1)}

    def read_to(self, positions: Mapping[int, int]) -> None:
        """Note that all records below *positions* are settled."""
        new = self.ahead(positions)
        self._settled |= new
        self._due |= new.keys()

    def restarted(self, starts: Mapping[int, int]) -> None:
        """
        Note that partitions begin at *starts*, below what was committed; that is to be committed.

        What was taken of them before doesn't count.
        """
        self._held -= starts.keys()
        self._settled |= starts
        self._due |= starts.keys()

    def due(self) -> Mapping[int, int]:
        """Return the next offset of each partition that has one to commit, and forget that."""
        due = {partition: self._settled[partition] for partition in self._due}
        self._due = set()
        return due

    def answered(self, partition: int, offset: int, *, refused: bool) -> None:
        """
        Note the broker's answer to a commit.

        The partition is due again if the commit was refused, or was not the latest: a commit
        that the client retried may have overwritten a later one.
        """
        settled = self._settled.get(partition)
        if settled is not None and (refused or settled != offset):
            self._due.add(partition)

    def revoked(self, partitions: Iterable[int]) -> None:
        """Forget *partitions*, which were revoked or lost."""
        for partition in partitions:
            self._held.discard(partition)
            self._due.discard(partition)
            self._settled.pop(partition, None)
