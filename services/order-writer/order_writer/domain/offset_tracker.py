"""Which offsets to commit: of what is settled, and of what was refused and is ours still."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from order_runtime.kafka.records import Record


class OffsetTracker:
    """
    Where each partition goes on, as *settled* by us under one assignment.

    A commit that is refused while members come or go costs nothing where more records come: the
    next one says more. Where nothing more comes, the group would seem to be behind for good, and
    at last like one whose records retention deleted unread. So it is due again.
    """

    def __init__(self) -> None:
        self._held: set[int] = set()  # never given up since the batch in hand was taken
        self._settled: dict[int, int] = {}
        self._due: set[int] = set()

    def taken(self, partitions: Iterable[int]) -> None:
        """A batch was taken, while these partitions were ours."""
        self._held = set(partitions)

    def settled(self, records: Iterable[Record]) -> None:
        """They are handled; those that another worker may have had meanwhile are its to commit."""
        ends = {it.partition: it.offset + 1 for it in records if it.partition in self._held}
        self._settled |= ends
        self._due |= ends.keys()

    def read_to(self, places: Mapping[int, int]) -> None:
        """
        All that was taken is settled, and these partitions are read up to here.

        Further than their last records, where the log holds what is none: the end of a
        transaction, or what one that was aborted had written.
        """
        new = {it: at for it, at in places.items() if at > self._settled.get(it, -1)}
        self._settled |= new
        self._due |= new.keys()

    def due(self) -> Mapping[int, int]:
        """Return what is to be committed, once: the next record to read of each partition."""
        due = {partition: self._settled[partition] for partition in self._due}
        self._due = set()
        return due

    def answered(self, partition: int, offset: int, *, refused: bool) -> None:
        """
        This was committed, or not. What is settled is due again, unless this was it, or it is lost.

        Also where an older commit went well: one that the client tried again may have come last.
        """
        settled = self._settled.get(partition)
        if settled is not None and (refused or settled != offset):
            self._due.add(partition)

    def given_up(self, partitions: Iterable[int]) -> None:
        for partition in partitions:
            self._held.discard(partition)
            self._due.discard(partition)
            self._settled.pop(partition, None)
