"""
A batch applied whole or, if it fails, in halves, down to the records that fail by themselves.

Those are *suspects*: each may be poison, a record that can never be applied, or the service is
at fault. The batch processor decides which, by how the rest of the batch went.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from order_contracts.trace_context import traceparent_in
from order_runtime.documents.document import UnreadableStored
from order_runtime.kafka.records import Record
from order_runtime.observability.dependencies import MONGODB
from order_runtime.process.logs import error_fields, log, trace_fields
from order_runtime.process.signals import StopRequested
from order_runtime.process.unreadable import report
from order_writer import metrics
from order_writer.app.error_policy import FailureKind, failure_kind
from order_writer.app.ports import Ledger
from order_writer.app.waiting import Waiting
from order_writer.domain.batch import FoldedBatch, OwnCommandUnreadable
from order_writer.domain.batch_items import BatchItem, TopicInfo
from order_writer.domain.decode import decode_all, poison_command
from order_writer.domain.offset_tracker import StoredOffsetsBehind, ends
from order_writer.log_events import BATCH_FAILED, RECORD_REFUSED

ATTEMPTS_ALONE: Final = 5  # of a record by itself, before it is a suspect
ATTEMPTS_TOGETHER: Final = 5  # of a batch that conflicts or is slow, before it is halved
IMMEDIATE_RETRIES: Final = 3  # of a write conflict, before the batch waits
SPACED_SUSPECTS: Final = 10  # of a batch: the attempts of so many are apart in time

_PASSED_ON: Final = (StopRequested, StoredOffsetsBehind)  # no record is at fault

Suspect = tuple[Record, Exception]
"""A record that failed by itself, and its last error."""


class PoisonIsolation:
    """Applies batches to the ledger; finds the records that can't be applied."""

    def __init__(self, ledger: Ledger, topic: TopicInfo, waiting: Waiting) -> None:
        self._ledger, self._topic, self._waiting = ledger, topic, waiting

    def apply(self, batch: Sequence[Record], suspects: list[Suspect]) -> Iterator[FoldedBatch]:
        """
        Apply *batch* in order and yield its applied parts; add what fails alone to *suspects*.

        A record behind a suspect is applied, even one of the same order. Raises StopRequested,
        StoredOffsetsBehind, and OwnCommandUnreadable for a single record that is one.
        """
        try:
            yield self._decode_and_apply(batch, suspects)
        except _PASSED_ON:
            raise
        except Exception as error:  # noqa: BLE001  any error may be the fault of one record
            log().warning(BATCH_FAILED, commands=len(batch), **error_fields(error))
            if len(batch) == 1:
                yield from self._retry_alone(batch[0], suspects)
                return
            middle = len(batch) // 2
            yield from self.apply(batch[:middle], suspects)
            yield from self.apply(batch[middle:], suspects)

    def _retry_alone(self, record: Record, suspects: list[Suspect]) -> Iterator[FoldedBatch]:
        """Use up the attempts of one record before any other: later ones of its order follow."""
        for _ in range(ATTEMPTS_ALONE - 1):
            self._waiting.check_stop()
            try:
                folded = self._decode_and_apply([record], suspects)
            except (*_PASSED_ON, OwnCommandUnreadable):
                raise
            except Exception as error:  # noqa: BLE001  as above
                last = error
                if len(suspects) < SPACED_SUSPECTS:
                    self._waiting.pause()
            else:
                yield folded
                return
        suspects.append((record, last))
        metrics.SUSPECTS.set(len(suspects))

    def refuse(
        self, record: Record, error: Exception, offsets: Mapping[int, int] | None = None
    ) -> FoldedBatch:
        """Refuse a suspect: its job fails with 500, and it is a dead letter; store *offsets*."""
        offsets = offsets or _unmoved([record])
        metrics.POISON.inc()
        metrics.SUSPECTS.dec()
        if isinstance(error, UnreadableStored):
            report(error)
        trace = trace_fields(traceparent_in(record.headers))
        log().error(RECORD_REFUSED, offset=record.offset, **trace, **error_fields(error))
        item = poison_command(record, self._topic)
        try:
            return self._apply([item], offsets)
        except _PASSED_ON:
            raise
        except Exception as second:  # noqa: BLE001  the stored order may be what can't be read
            log().warning(BATCH_FAILED, commands=1, **error_fields(second))
            return self._apply([replace(item, without_stored=True)], offsets)

    def _decode_and_apply(
        self, records: Sequence[Record], suspects: Sequence[Suspect]
    ) -> FoldedBatch:
        """Apply records; the stored offsets don't pass a suspect, which may still be applied."""
        items = decode_all(records, self._topic)
        return self._apply(items, _unmoved(records) if suspects else ends(records))

    def _apply(self, items: Sequence[BatchItem], offsets: Mapping[int, int]) -> FoldedBatch:
        """
        Apply items; waits for MongoDB for as long as it is away.

        Where it is slow, or another transaction is in the way, raise after some attempts, because
        half of the batch may succeed. A single command waits without limit: a transaction whose
        client died holds its locks for a minute or more, which is no fault of the command.
        """
        attempt = 0
        while True:
            try:
                return self._ledger.apply(items, offsets)
            except Exception as error:
                kind = failure_kind(error)
                too_often = attempt >= ATTEMPTS_TOGETHER and len(items) > 1
                if kind is FailureKind.OTHER or (too_often and kind is not FailureKind.AWAY):
                    raise
                self._before_retry(kind, attempt, error)
                attempt += 1

    def _before_retry(self, kind: FailureKind, attempt: int, error: Exception) -> None:
        if kind is FailureKind.CONFLICT:
            metrics.CONFLICTS.inc()
            if attempt < IMMEDIATE_RETRIES:
                return
        self._waiting.back_off(MONGODB, type(error).__name__, attempt)


def _unmoved(records: Sequence[Record]) -> dict[int, int]:
    """Return offsets that raise none of the stored ones, which are compared with all the same."""
    return dict.fromkeys(ends(records), 0)
