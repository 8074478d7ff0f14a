"""Read, apply, announce, commit: the order of these four is the whole promise."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Protocol

from order_contracts.job import Operation
from order_runtime.kafka.records import Outgoing, Record, split_by_size
from order_runtime.process.errors import UnrecoverableError
from order_runtime.process.logs import error_fields, log
from order_writer import metrics
from order_writer.app.error_policy import FailureKind, failure_kind
from order_writer.domain.batch import BatchItem, FoldedBatch, OwnCommandUnreadable
from order_writer.domain.decode import TopicInfo, UnreadableCommand, decode, poison_command
from order_writer.domain.events import outgoing_records

ATTEMPTS_ALONE: Final = 5
CONFLICTS_AT_ONCE: Final = 3
TRIES_TOGETHER: Final = 5  # of a batch, before it is halved
PORTION_BYTES: Final = 8 * 1024 * 1024  # of events, well below what the producer queues
UNPROVEN: Final = 2  # records that fail alone, one after the other: then the fault is ours
PAUSED: Final = 10  # of them in one batch, whose attempts are apart in time
WAIT_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0)


class CommandSource(Protocol):
    """Where commands come from; `idle` waits without leaving the consumer group."""

    def take(self, limit: int, wait: float) -> list[Record]: ...
    def commit(self, records: Sequence[Record]) -> None: ...
    def idle(self, seconds: float) -> None: ...


class Sink(Protocol):
    """Where announcements go; both say whether everything is acknowledged."""

    def publish_all(self, records: Sequence[Outgoing], patience: float) -> bool: ...
    def flushed(self, patience: float) -> bool: ...


class Ledger(Protocol):
    """Where a batch is applied, all of it or nothing; to apply it again is harmless."""

    def apply(self, items: Sequence[BatchItem]) -> FoldedBatch: ...


class Stopped(Exception):
    """The service was asked to stop while it waited; nothing of the batch is committed."""


class EverythingFails(UnrecoverableError):
    """Every record fails alone: the fault is ours, not theirs, and none of them is refused."""

    def __init__(self) -> None:
        super().__init__("One command after the other fails for a reason nobody knows; it stops.")


SuspectRecord = tuple[Record, Exception]  # what failed alone, and why the last time


class BatchProcessor:
    """Settles batches of commands, for one thread."""

    def __init__(
        self,
        source: CommandSource,
        ledger: Ledger,
        sink: Sink,
        reads: TopicInfo,
        stop: threading.Event,
    ) -> None:
        self._source, self._ledger, self._sink = source, ledger, sink
        self._reads, self._stop = reads, stop
        self._unproven = 0  # refused, and nothing has gone well since

    def run(self, batch_commands: int, batch_bytes: int) -> None:
        """Run until asked to stop; an error that hits every record leaves, uncommitted."""
        while not self._stop.is_set():
            records = self._source.take(batch_commands, wait=0.5)
            for batch in split_by_size(records, batch_bytes):
                try:
                    self.settle(batch)
                except Stopped:
                    return

    def settle(self, batch: Sequence[Record]) -> None:
        """Apply, announce, and only then commit: swapping the last two loses events on a crash."""
        began = time.monotonic()
        suspects: list[SuspectRecord] = []
        for folded in self._applied(batch, suspects):
            self._told(folded)
        self._judge(suspects, healthy=len(batch) > len(suspects))
        for suspect in suspects:
            self._told(self._refused(*suspect))
        self._source.commit(batch)
        seconds = time.monotonic() - began
        metrics.BATCH_SECONDS.observe(seconds)
        log().info("batch settled", commands=len(batch), seconds=round(seconds, 3))

    def _told(self, folded: FoldedBatch) -> None:
        self._announce(folded)
        _count(folded)

    def _applied(
        self, batch: Sequence[Record], suspects: list[SuspectRecord]
    ) -> Iterator[FoldedBatch]:
        """
        Yield the batch as it is applied: whole, or in ever smaller parts where it won't go.

        What fails alone is put among the *suspects*; those behind it go on.
        """
        try:
            yield self._apply(lambda: [decode(record, self._reads) for record in batch])
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001  any error may be the fault of one record
            log().warning("batch failed", commands=len(batch), **error_fields(error))
            if len(batch) == 1:
                yield from self._alone(batch[0], suspects)
                return
            middle = len(batch) // 2
            yield from self._applied(batch[:middle], suspects)
            yield from self._applied(batch[middle:], suspects)

    def _alone(self, record: Record, suspects: list[SuspectRecord]) -> Iterator[FoldedBatch]:
        """Give one record its last attempts, here and now, for others of its order follow."""
        for _ in range(ATTEMPTS_ALONE - 1):
            if self._stop.is_set():
                raise Stopped
            try:
                folded = self._apply(lambda: [decode(record, self._reads)])
            except (Stopped, OwnCommandUnreadable):
                raise
            except Exception as error:  # noqa: BLE001  as above
                last = error
                if len(suspects) < PAUSED:
                    self._source.idle(WAIT_SECONDS[0])
            else:
                yield folded
                return
        suspects.append((record, last))
        metrics.SUSPECTS.set(len(suspects))

    def _judge(self, suspects: Sequence[SuspectRecord], *, healthy: bool) -> None:
        """
        Let the suspects be refused only where others of their batch went well.

        One that comes by itself has no others: it may be refused, the next one may not.
        """
        if healthy:
            self._unproven = 0
            return
        self._unproven += len(suspects)
        if self._unproven >= UNPROVEN:
            raise EverythingFails() from suspects[-1][1]

    def _refused(self, record: Record, why: Exception) -> FoldedBatch:
        """Refuse one record: job failed 500, and a dead letter."""
        metrics.POISON.inc()
        metrics.SUSPECTS.dec()
        log().error("record refused", offset=record.offset, **error_fields(why))
        item = poison_command(record, self._reads)
        try:
            return self._apply(lambda: [item])
        except Stopped:
            raise
        except Exception as error:  # noqa: BLE001  its order may be what can't be read
            log().warning("batch failed", commands=1, **error_fields(error))
            return self._apply(lambda: [replace(item, blind=True)])

    def _apply(self, read: Callable[[], Sequence[BatchItem]]) -> FoldedBatch:
        """
        Apply items; waits for MongoDB as long as it is away.

        Where it is slow, or another transaction is in the way, a smaller batch may do. Alone, a
        command is waited for, however long: a transaction whose client died holds its locks for
        a minute and more, and that is no fault of the command.
        """
        items, tries = read(), 0
        while True:
            try:
                return self._ledger.apply(items)
            except Exception as error:
                kind = failure_kind(error)
                halves = kind is not FailureKind.AWAY and len(items) > 1 and tries >= TRIES_TOGETHER
                if kind is FailureKind.OTHER or halves:
                    raise
                self._give_way(kind, tries)
                tries += 1

    def _give_way(self, kind: FailureKind, tries: int) -> None:
        if kind is FailureKind.CONFLICT:
            metrics.CONFLICTS.inc()
            if tries < CONFLICTS_AT_ONCE:
                return
        self._wait("mongo", tries)

    def _announce(self, folded: FoldedBatch) -> None:
        """Publish what a batch has to tell, in portions: every event carries its whole order."""
        for portion in split_by_size(outgoing_records(folded), PORTION_BYTES):
            waits = 0
            done = self._sink.publish_all(portion, patience=1)
            while not done:
                self._wait("kafka", waits)
                waits += 1
                done = self._sink.flushed(patience=1)

    def _wait(self, missing: str, times: int) -> None:
        if self._stop.is_set():
            raise Stopped
        metrics.WAITS.labels(missing).inc()
        if times == 0:
            log().warning("waiting", missing=missing)
        self._source.idle(WAIT_SECONDS[min(times, len(WAIT_SECONDS) - 1)])


def _count(folded: FoldedBatch) -> None:
    metrics.BATCH_COMMANDS.observe(len(folded.answers))
    for item, entry in folded.answers:
        operation = Operation.UNKNOWN if isinstance(item, UnreadableCommand) else item.operation
        outcome = entry.failure.code if entry.failure else "Applied"
        metrics.COMMANDS.labels(operation, outcome).inc()
