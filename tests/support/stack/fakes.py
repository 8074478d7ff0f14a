"""The order-writer's ports in memory: a log, a ledger and a sink, each noting what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from order_contracts.integration_log import LogEntry
from order_runtime.documents.jobs import LedgerEntry
from order_runtime.kafka.records import Outgoing, Record
from order_writer.domain.batch import (
    BatchItem,
    FoldedBatch,
    IdempotencyClaim,
    fold,
    is_same_command,
)
from order_writer.domain.decide import OrderState
from order_writer.domain.decode import DecodedCommand, UnreadableCommand

Diary = list[str]


class Killed(BaseException):
    """The process is gone at this point; nothing in it can catch that."""


@dataclass
class MemoryLedger:
    """Applies a batch as the real one does: all of it, and no key a second time."""

    diary: Diary = field(default_factory=list)
    jobs: dict[str, LedgerEntry] = field(default_factory=dict)
    orders: dict[str, OrderState] = field(default_factory=dict)
    claims: dict[str, IdempotencyClaim] = field(default_factory=dict)
    log: dict[str, LogEntry] = field(default_factory=dict)

    def apply(self, items: Sequence[BatchItem]) -> FoldedBatch:
        self.diary.append("apply")
        folded = fold(items, self._known(items), self._stored(items), self._claimed(items))
        self._insert(folded)
        return folded

    def _known(self, items: Sequence[BatchItem]) -> dict[str, LedgerEntry]:
        named = [job_id for item in items for job_id in (item.job_id, item.replays) if job_id]
        known = {job_id: self.jobs[job_id] for job_id in named if job_id in self.jobs}
        taken = [
            item.fallback_job_id
            for item in items
            if item.job_id in known and not is_same_command(known[item.job_id], item)
        ]
        return known | {spare: self.jobs[spare] for spare in taken if spare in self.jobs}

    def _stored(self, items: Sequence[BatchItem]) -> dict[str, OrderState]:
        seen = (item for item in items if not (isinstance(item, UnreadableCommand) and item.blind))
        ids = {item.order_id for item in seen if item.order_id is not None}
        return {order_id: self.orders[order_id] for order_id in ids if order_id in self.orders}

    def _claimed(self, items: Sequence[BatchItem]) -> dict[str, IdempotencyClaim]:
        keys = [item.idempotency_key for item in items if isinstance(item, DecodedCommand)]
        return {key: self.claims[key] for key in keys if key is not None and key in self.claims}

    def _insert(self, folded: FoldedBatch) -> None:
        for entry in folded.entries:
            assert entry.job_id not in self.jobs, "a job is inserted once"
            self.jobs[entry.job_id] = entry
        self.jobs.update(folded.redecided)
        for claim in folded.claims:
            assert claim.key not in self.claims, "a key is claimed once"
            self.claims[claim.key] = claim
        for line in folded.log:
            assert line.id not in self.log, "a log entry is inserted once"
            self.log[line.id] = line
        for log_id, at in folded.resolved.items():
            self.log[log_id] = self.log[log_id].model_copy(update={"resolved_at": at})
        self.orders.update({each: folded.orders[each] for each in folded.changed})


@dataclass
class FailingLedger:
    """Raises what `failing` gives for a batch, and applies it where it gives nothing."""

    inner: MemoryLedger
    failing: Callable[[Sequence[BatchItem]], Exception | None]
    asked: list[int] = field(default_factory=list)
    """How many commands each call was about."""

    def apply(self, items: Sequence[BatchItem]) -> FoldedBatch:
        self.asked.append(len(items))
        error = self.failing(items)
        if error is not None:
            raise error
        return self.inner.apply(items)


@dataclass
class MemorySource:
    """A log of commands and the offset that was committed; `take` reads on from there once."""

    records: list[Record]
    diary: Diary = field(default_factory=list)
    committed: int = 0
    idled: int = 0
    dies_before_commit: bool = False
    on_idle: Callable[[], None] = lambda: None
    _read: int = 0

    def take(self, limit: int, wait: float) -> list[Record]:
        assert wait > 0
        taken = self.records[self._read : self._read + limit]
        self._read += len(taken)
        if not taken:
            raise Drained
        return taken

    def commit(self, records: Sequence[Record]) -> None:
        if self.dies_before_commit:
            raise Killed
        self.diary.append("commit")
        self.committed = self.records.index(records[-1]) + 1

    def idle(self, seconds: float) -> None:
        assert seconds > 0
        self.diary.append("idle")
        self.idled += 1
        self.on_idle()

    def restarted(self) -> MemorySource:
        """Return the log as the next process reads it: from what was committed."""
        return MemorySource(self.records, self.diary, self.committed, _read=self.committed)


class Drained(Exception):
    """There are no more records: the test is over."""


@dataclass
class MemorySink:
    """Takes announcements; `away` times it is asked, it has no acknowledgement yet."""

    diary: Diary = field(default_factory=list)
    published: list[Outgoing] = field(default_factory=list)
    away: int = 0
    dies: bool = False

    def publish_all(self, records: Sequence[Outgoing], patience: float) -> bool:
        if self.dies:
            raise Killed
        self.diary.append("publish")
        self.published.extend(records)
        return self.flushed(patience)

    def flushed(self, patience: float) -> bool:
        assert patience > 0
        self.away -= 1
        return self.away < 0

    def ids(self, topic: str = "orders.events") -> list[str]:
        return ids_of(record for record in self.published if record.topic == topic)


def ids_of(records: Iterable[Outgoing]) -> list[str]:
    """Return the `ce_id` of each."""
    return [(dict(record.headers)["ce_id"] or b"").decode() for record in records]
