"""The spans of events: each from the start of its batch until all that follows is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from enricher.domain.model import DecidedEvent, ReceivedEvent
from order_contracts.topics import ENRICHER, EVENTS
from order_runtime.observability.span_attributes import JOB_ID, ORDER_ID, process_name, processed
from order_runtime.observability.tracing import SpanKind, StartedSpan, Tracing

Spans = Mapping[tuple[str, str], StartedSpan]
"""Of the events whose traces are recorded, by job and type."""
HEAL: Final = "heal order"


def begin_spans(
    tracing: Tracing | None, events: Sequence[ReceivedEvent]
) -> tuple[Sequence[ReceivedEvent], Spans]:
    """Start spans; return the events as what follows from them, for those that have one."""
    if tracing is None:
        return events, {}
    started = tracing.now()
    spans: dict[tuple[str, str], StartedSpan] = {}
    followed: list[ReceivedEvent] = []
    for it in events:
        span = tracing.followed(it.traceparent, started)
        if span is not None:
            spans[it.event.job_id, it.kind] = span
        followed.append(it if span is None else replace(it, traceparent=span.traceparent))
    return followed, spans


def end_spans(tracing: Tracing | None, decided: Sequence[DecidedEvent], spans: Spans) -> None:
    """Record the spans of what was decided; an event that had been handled before has none."""
    if tracing is None or not spans:
        return
    for received in (it.received for it in decided):
        span = spans.get((received.event.job_id, received.kind))
        if span is None:
            continue
        partition, offset = received.place or (None, None)
        about = processed(
            EVENTS,
            ENRICHER,
            order_id=received.event.order_id,
            job_id=received.event.job_id,
            message=str(received.kind),
            partition=None if partition is None else str(partition),
            offset=offset,
        )
        tracing.end(span, process_name(EVENTS), SpanKind.CONSUMER, about, follows=True)


class HealingSpans:
    """
    The spans of orders that are looked at again, one a job: what was missing is there now.

    Each goes on with the trace of its job, from where that waited.
    """

    def __init__(self, tracing: Tracing | None) -> None:
        self._tracing = tracing
        self._spans: dict[str, tuple[str, StartedSpan]] = {}

    def following(self, job_id: str, order_id: str, traceparent: str | None) -> str | None:
        """Return what a message about the job is to carry, which waited with *traceparent*."""
        if self._tracing is None:
            return traceparent
        if job_id not in self._spans:
            span = self._tracing.followed(traceparent)
            if span is None:
                return traceparent
            self._spans[job_id] = order_id, span
        return self._spans[job_id][1].traceparent

    def end(self) -> None:
        """Record them: the messages are published."""
        if self._tracing is None:
            return
        for job_id, (order_id, span) in self._spans.items():
            about = {ORDER_ID: order_id, JOB_ID: job_id}
            self._tracing.end(span, HEAL, SpanKind.INTERNAL, about, follows=True)
