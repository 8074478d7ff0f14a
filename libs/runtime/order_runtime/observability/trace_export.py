"""
Spans handed to OpenTelemetry's SDK, which exports them in batches from a thread of its own.

Only imported where traces are on: the SDK and its exporters take a while to import.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from contextvars import copy_context
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from order_contracts.trace_context import TraceContext
from order_runtime.observability.metrics import TRACE_SPANS
from order_runtime.observability.tracing import EndedSpan
from order_runtime.process.log_events import TRACES_NOT_EXPORTED
from order_runtime.process.logs import log

MAX_QUEUED: Final = 4_096
"""Spans in memory; further ones are dropped until some were exported."""
BATCH_SIZE: Final = 512
EVERY_SECONDS: Final = 1.0
EXPORT_SECONDS: Final = 5
"""For one batch, and for what the exporter repeats of it."""
FLUSH_SECONDS: Final = 3.0
"""For what is left when the process ends."""
LOG_SECONDS: Final = 60.0
"""Between two lines about spans that could not be exported."""
_KINDS: Final = {it.name: it for it in SpanKind}
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
_FAILED: Final = Status(StatusCode.ERROR)


def otlp_exporter(url: str) -> SpanExporter:
    return OTLPSpanExporter(url, timeout=EXPORT_SECONDS)


def zipkin_exporter(url: str) -> SpanExporter:
    return ZipkinExporter(endpoint=url, timeout=EXPORT_SECONDS)


class TraceExport:
    """Takes spans of one thread and exports them until it is closed."""

    def __init__(self, exporter: SpanExporter, service: str, instance: str, release: str) -> None:
        # What the exporters say of a failure, with the answer of a stranger, ours says in a line.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
        described = {
            "service.namespace": "ordermill",
            "service.name": service,
            "service.instance.id": instance,
            "service.version": release,
        }
        self._ids = _GivenIds()
        self._exporter = ReportingExporter(exporter)
        self._provider = TracerProvider(
            ALWAYS_ON,  # what comes here was sampled
            Resource.create(described),
            shutdown_on_exit=False,
            id_generator=self._ids,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(self._exporter, MAX_QUEUED, EVERY_SECONDS * 1000, BATCH_SIZE)
        )
        self._tracer = self._provider.get_tracer("ordermill", release)
        self._taken = 0

    def record(self, ended: EndedSpan) -> None:
        """Queue a span; drop it where too many wait. Neither waits nor raises."""
        if self._taken - self._exporter.finished >= MAX_QUEUED:
            TRACE_SPANS.labels("dropped").inc()
            return
        self._taken += 1
        own, parent = ended.span.context, ended.span.parent
        self._ids.context = own
        before = _remote(parent) if parent else None
        span = self._tracer.start_span(
            ended.name,
            set_span_in_context(NonRecordingSpan(before)) if before else None,
            _KINDS[ended.kind],
            ended.attributes,
            [Link(before)] if before and ended.follows else (),
            ended.span.started,
        )
        if ended.error is not None:
            span.set_attribute("error.type", ended.error)
            span.set_status(_FAILED)
        span.end(ended.ended)

    def close(self, seconds: float = FLUSH_SECONDS) -> None:
        """Export what is left, or give up after so many *seconds*."""
        # By itself it would wait for half a minute where nobody takes the spans.
        leaving = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        leaving.start()
        leaving.join(seconds)


class ReportingExporter(SpanExporter):
    """Passes batches on; counts them, and logs once a minute that some were not taken."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        # What the log says of the process is in the context, which a thread doesn't inherit.
        self._logging = copy_context()
        self._not_told = 0
        self._told_at: float | None = None
        self.finished = 0
        """Spans that left the queue, exported or not."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception:  # noqa: BLE001  no span is worth an error, whatever the network says
            result = SpanExportResult.FAILURE
        self.finished += len(spans)
        taken = result is SpanExportResult.SUCCESS
        TRACE_SPANS.labels("exported" if taken else "failed").inc(len(spans))
        if not taken:
            self._tell(len(spans))
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

    def _tell(self, spans: int) -> None:
        self._not_told += spans
        now = time.monotonic()
        if self._told_at is not None and now - self._told_at < LOG_SECONDS:
            return
        count, self._not_told, self._told_at = self._not_told, 0, now
        self._logging.run(lambda: log().warning(TRACES_NOT_EXPORTED, spans=count))


class _GivenIds(IdGenerator):
    """Gives a span the ids that were handed on before it ended."""

    context = TraceContext(1, 1, sampled=True)

    def generate_span_id(self) -> int:
        return self.context.span_id

    def generate_trace_id(self) -> int:
        return self.context.trace_id


def _remote(context: TraceContext) -> SpanContext:
    return SpanContext(context.trace_id, context.span_id, is_remote=True, trace_flags=_SAMPLED)
