"""The spans of commands: each from the start of its batch to the commit of its transaction."""

from __future__ import annotations

from order_contracts.topics import COMMANDS, WRITER
from order_runtime.documents.jobs import LedgerEntry
from order_runtime.observability.span_attributes import process_name, processed
from order_runtime.observability.tracing import Attributes, SpanKind, Tracing, handed_on
from order_writer.domain.batch import FoldedBatch
from order_writer.domain.batch_items import BatchItem, DecodedCommand


class CommandSpans:
    """Records a span for each command whose trace is recorded; nothing without *tracing*."""

    def __init__(self, tracing: Tracing | None) -> None:
        self._tracing = tracing
        self._began = 0

    def begin(self) -> None:
        """Note that a batch is begun."""
        if self._tracing is not None:
            self._began = self._tracing.now()

    def end(self, folded: FoldedBatch) -> list[str | None] | None:
        """Record the spans of what is stored by now; return what each event is to carry, if any."""
        tracing = self._tracing
        if tracing is None:
            return None
        return [self._recorded(tracing, item, entry) for item, entry in folded.answers]

    def _recorded(self, tracing: Tracing, item: BatchItem, entry: LedgerEntry) -> str | None:
        given = item.traceparent
        if not item.from_gateway:
            span = tracing.entered(given, started=self._began)
        elif given is None:
            return None  # the sample was drawn there, and the command isn't in it
        else:
            span = tracing.followed(given, self._began)
        if span is not None:
            error = entry.failure.code if entry.failure else None
            about = _about(item, entry)
            name = process_name(COMMANDS)
            tracing.end(span, name, SpanKind.CONSUMER, about, error=error, follows=True)
        return handed_on(span, given)


def _about(item: BatchItem, entry: LedgerEntry) -> Attributes:
    return processed(
        COMMANDS,
        WRITER,
        order_id=entry.order_id,
        job_id=entry.job_id,
        message=str(item.operation) if isinstance(item, DecodedCommand) else None,
        partition=str(item.record.partition),
        offset=item.record.offset,
    )
