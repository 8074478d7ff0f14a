"""
Take commands, apply them, announce the outcomes, commit the offsets: in this order.

Whatever the process dies between, the commands are taken again, recognised in the ledger, and
announced again under the same ids. Committing before announcing would lose events. Where MongoDB
is restored to an earlier time meanwhile, the commands since then are taken again, too.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import starmap
from typing import Final

from order_contracts.job import Operation
from order_runtime.documents.jobs import LedgerEntry
from order_runtime.kafka.dead_letters import is_given_up
from order_runtime.kafka.records import Record, split_by_size
from order_runtime.observability.dependencies import KAFKA
from order_runtime.observability.metrics import DEAD_LETTERS
from order_runtime.observability.progress import Loop
from order_runtime.observability.tracing import Tracing
from order_runtime.process.isolation import EverythingFails, FailureCauses
from order_runtime.process.log_events import NO_FURTHER_DEAD_LETTER
from order_runtime.process.logs import log
from order_runtime.process.signals import StopRequested
from order_writer import metrics
from order_writer.app.command_spans import CommandSpans
from order_writer.app.poison_isolation import PoisonIsolation, Suspect
from order_writer.app.ports import CommandSource, EventSink, Ledger
from order_writer.app.waiting import Waiting
from order_writer.domain.batch import FoldedBatch
from order_writer.domain.batch_items import BatchItem, DecodedCommand, TopicInfo, UnreadableCommand
from order_writer.domain.events import outgoing_records
from order_writer.domain.offset_tracker import StoredOffsetsBehind, ends
from order_writer.log_events import BATCH_SETTLED

TAKE_SECONDS: Final = 0.5  # for the first record; a stop is noticed after it
ACKNOWLEDGED_SECONDS: Final = 1.0  # before the consumer is polled again, to stay in its group
PUBLISHED_BYTES: Final = 8 * 1024 * 1024  # of events at once, well below what the producer queues
LOOP: Final = "commands"
NOT_ACKNOWLEDGED: Final = "NotAcknowledged"
MAX_UNKNOWN: Final = 2  # suspects in a row, with nothing applied: then the service is at fault


class BatchProcessor:
    """Settles batches of commands; for one thread."""

    def __init__(  # noqa: PLR0913, PLR0917  its ports, and what it is watched by
        self,
        source: CommandSource,
        ledger: Ledger,
        sink: EventSink,
        topic: TopicInfo,
        stop: threading.Event,
        loop: Loop | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._source, self._sink, self._stop = source, sink, stop
        self._loop = loop or Loop(LOOP)
        self._waiting = Waiting(source, stop, self._loop)
        self._isolation = PoisonIsolation(ledger, topic, self._waiting)
        self._causes = FailureCauses(MAX_UNKNOWN)
        self._spans = CommandSpans(tracing)

    def run(
        self,
        batch_commands: int,
        batch_bytes: int,
        paused: Callable[[], bool] = lambda: False,
    ) -> None:
        """
        Settle batches until asked to stop; while *paused*, take none and stay in the group.

        Raises EverythingFails, OwnCommandUnreadable and KafkaException, with the batch not
        committed.
        """
        while not self._stop.is_set():
            self._loop.turn()
            if paused():
                self._source.idle(TAKE_SECONDS)
                continue
            records = self._source.take(batch_commands, TAKE_SECONDS)
            for batch in split_by_size(records, batch_bytes):
                try:
                    self.settle(batch)
                except StopRequested:
                    return
                except StoredOffsetsBehind:
                    metrics.SUSPECTS.set(0)
                    self._source.rewind()
                    break

    def settle(self, batch: Sequence[Record]) -> None:
        """Apply and announce a batch, and only then commit it."""
        began = time.monotonic()
        self._spans.begin()
        suspects: list[Suspect] = []
        stored = began
        for folded in self._isolation.apply(batch, suspects):
            metrics.STEP_SECONDS.labels("store").observe(time.monotonic() - stored)
            self._announce(folded)
            stored = time.monotonic()
        self._check_health(suspects, applied=len(batch) - len(suspects))
        for left, suspect in zip(reversed(range(len(suspects))), suspects, strict=True):
            offsets = None if left else ends(batch)
            self._announce(self._isolation.refuse(*suspect, offsets))
        self._source.commit(batch)
        seconds = time.monotonic() - began
        metrics.BATCH_SECONDS.observe(seconds)
        log().info(BATCH_SETTLED, commands=len(batch), seconds=round(seconds, 3))

    def _check_health(self, suspects: Sequence[Suspect], *, applied: int) -> None:
        """
        Raise EverythingFails where nothing shows that the records are at fault, not the service.

        Other records of the batch that were applied show it. A suspect with no others beside it
        may be refused once; the next one may not, unless a record was applied in between. Of
        stored documents that can't be read, more are passed over.
        """
        if applied:
            self._causes.clear()
        elif self._causes.add(error for _, error in suspects):
            raise EverythingFails from suspects[-1][1]

    def _announce(self, folded: FoldedBatch) -> None:
        """Publish the outcomes in portions, since every event carries its whole order."""
        began = time.monotonic()
        outgoing = outgoing_records(folded, self._spans.end(folded))
        for portion in split_by_size(outgoing, PUBLISHED_BYTES):
            attempt = 0
            done = self._sink.publish_all(portion, ACKNOWLEDGED_SECONDS)
            while not done:
                self._waiting.back_off(KAFKA, NOT_ACKNOWLEDGED, attempt)
                attempt += 1
                done = self._sink.flushed(ACKNOWLEDGED_SECONDS)
        metrics.STEP_SECONDS.labels("announce").observe(time.monotonic() - began)
        _count(folded, datetime.now(UTC))


def _count(folded: FoldedBatch, now: datetime) -> None:
    metrics.BATCH_COMMANDS.observe(len(folded.answers))
    for labels, count in Counter(starmap(_labels, folded.answers)).items():
        metrics.COMMANDS.labels(*labels).inc(count)
    metrics.MISROUTED.inc(sum(_is_misrouted(item) for item, _ in folded.answers))
    new = [*folded.entries, *folded.redecided.values()]
    metrics.LEDGER_HITS.inc(len(folded.answers) - len(new))
    metrics.STORED_SECONDS.observe([(now - entry.at).total_seconds() for entry in new])
    for item, entry in folded.answers:
        if not entry.decoded:
            _report_undecoded(item.record, entry)


def _is_misrouted(item: BatchItem) -> bool:
    return isinstance(item, DecodedCommand) and item.misrouted


def _report_undecoded(record: Record, entry: LedgerEntry) -> None:
    """Count a dead letter, or log that there is no further one."""
    code = entry.failure.code if entry.failure else ""
    if is_given_up(record):
        where = {"partition": record.partition, "offset": record.offset}
        log().warning(NO_FURTHER_DEAD_LETTER, **where)
    else:
        DEAD_LETTERS.labels(record.topic, code).inc()


def _labels(item: BatchItem, entry: LedgerEntry) -> tuple[Operation, str]:
    """Return the operation and the outcome that a command is counted under."""
    operation = Operation.UNKNOWN if isinstance(item, UnreadableCommand) else item.operation
    return operation, entry.failure.code if entry.failure else metrics.APPLIED
