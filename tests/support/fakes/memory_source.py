"""The order-writer's consumer in memory: a topic as a list, and the offsets of its group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from order_runtime.kafka.records import Record
from support.fakes.memory_ledger import Calls


class Killed(BaseException):
    """The process dies at this point; no handler of it can catch that."""


@dataclass
class MemorySource:
    """A consumer that has all partitions, and reads each from its committed offset."""

    records: list[Record]
    calls: Calls = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)
    """The next offset of each partition that has a committed one."""
    stored: dict[int, int] = field(default_factory=dict)
    """Those that a ledger stores; it may share them."""
    stores: bool = False
    """Whether a commit stores its offsets first, in the place of the ledger."""
    taken: list[Record] = field(default_factory=list)
    """What it has given, in order."""
    idled: int = 0
    dies_before_commit: bool = False
    on_idle: Callable[[], None] = lambda: None
    on_end: Callable[[], None] = lambda: None
    """Called when no record is left to take."""

    def __post_init__(self) -> None:
        self._begin()

    @property
    def committed(self) -> int:
        """The number of records whose offsets are committed."""
        return len(self.records) - len(self._behind(self.offsets))

    def take(self, limit: int, wait: float) -> list[Record]:
        assert wait > 0
        taken = self._behind(self._positions)[:limit]
        self.taken += taken
        self._positions |= _ends(taken)
        if not taken:
            ahead = {it: max(at, self.stored.get(it, 0)) for it, at in self._positions.items()}
            self.stored |= ahead
            self.offsets |= self._positions
            self.on_end()
        return taken

    def _behind(self, offsets: Mapping[int, int]) -> list[Record]:
        return [it for it in self.records if it.offset >= offsets.get(it.partition, 0)]

    def commit(self, records: Sequence[Record]) -> None:
        if self.dies_before_commit:
            raise Killed
        self.calls.append("commit")
        if self.stores:
            self.stored |= _ends(records)
        self.offsets |= _ends(records)

    def idle(self, seconds: float) -> None:
        assert seconds > 0
        self.calls.append("idle")
        self.idled += 1
        self.on_idle()

    def rewind(self) -> None:
        self.calls.append("rewind")
        self._begin()

    def _begin(self) -> None:
        """Begin each partition at the lower offset, and commit that."""
        for partition, offset in self.offsets.items():
            self.offsets[partition] = min(offset, self.stored.setdefault(partition, offset))
        self._positions = dict(self.offsets)

    def restarted(self) -> MemorySource:
        """Return the consumer of the next process."""
        return MemorySource(self.records, self.calls, self.offsets, self.stored, self.stores)


def _ends(records: Sequence[Record]) -> dict[int, int]:
    return {it.partition: it.offset + 1 for it in records}
