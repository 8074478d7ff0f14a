"""Spans in the SDK: as they were recorded, in bounds, and never in anybody's way."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

import pytest
import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode
from prometheus_client import REGISTRY

from order_contracts.trace_context import TraceContext
from order_runtime.observability.trace_export import MAX_QUEUED, TraceExport
from order_runtime.observability.tracing import EndedSpan, SpanKind, StartedSpan
from order_runtime.process.log_events import TRACES_NOT_EXPORTED
from support.stack.wait import until

PARENT = TraceContext(7, 8, sampled=True)
OWN = TraceContext(7, 9, sampled=True)


class Collector(SpanExporter):
    """Keeps what it is sent; fails or hangs as a test tells it to."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []
        self.batches = 0
        self.error: Exception | None = None
        self.answering = threading.Event()
        self.answering.set()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.answering.wait()
        self.batches += 1
        if self.error is not None:
            raise self.error
        self.spans += spans
        return SpanExportResult.SUCCESS


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.answering.set()


def export_to(collector: Collector) -> TraceExport:
    return TraceExport(collector, "gateway", "gateway-1", "1.2.3")


def ended(context: TraceContext = OWN, parent: TraceContext | None = PARENT) -> EndedSpan:
    started = StartedSpan(context, parent, 1_000)
    return EndedSpan(started, 2_000, "send orders.commands", SpanKind.PRODUCER, {"a": "b"})


def counted(outcome: str) -> float:
    return REGISTRY.get_sample_value("ordermill_trace_spans_total", {"outcome": outcome}) or 0.0


def test_a_span_has_the_ids_that_were_handed_on(collector: Collector) -> None:
    export = export_to(collector)

    export.record(ended())
    export.record(ended(TraceContext(70, 90, sampled=True), None))
    export.close()

    spans = {it.context.span_id: it for it in collector.spans if it.context}
    span, root = spans[9], spans[90]
    assert span.context
    assert span.parent
    assert (span.context.trace_id, span.parent.span_id) == (7, 8)
    assert root.context
    assert (root.context.trace_id, root.parent) == (70, None)
    assert (span.start_time, span.end_time, span.name) == (1_000, 2_000, "send orders.commands")
    assert (span.kind.name, span.status.status_code) == ("PRODUCER", StatusCode.UNSET)
    assert span.attributes == {"a": "b"}
    assert (
        span.resource.attributes.items()
        >= {
            "service.namespace": "ordermill",
            "service.name": "gateway",
            "service.instance.id": "gateway-1",
            "service.version": "1.2.3",
        }.items()
    )


def test_a_failed_span_says_so_with_a_code_alone(collector: Collector) -> None:
    export = export_to(collector)
    span = ended()

    export.record(
        EndedSpan(span.span, span.ended, span.name, span.kind, {}, error="503", follows=True)
    )
    export.close()

    [read] = collector.spans
    assert (read.status.status_code, read.status.description) == (StatusCode.ERROR, None)
    assert read.attributes == {"error.type": "503"}
    assert [link.context.span_id for link in read.links] == [8]


def test_what_nobody_takes_is_dropped_and_nothing_waits_for_it(collector: Collector) -> None:
    collector.answering.clear()
    export, before = export_to(collector), counted("dropped")

    for _ in range(MAX_QUEUED + 10):
        export.record(ended())
    dropped = counted("dropped") - before
    collector.answering.set()
    export.close()

    assert dropped == 10
    assert len(collector.spans) == MAX_QUEUED


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What is logged, as JSON lines that say which process it is."""
    lines = io.StringIO()
    structlog.configure(
        [structlog.contextvars.merge_contextvars, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(lines),
    )
    with structlog.contextvars.bound_contextvars(instance="gateway-1"):
        yield lines
    structlog.reset_defaults()


def test_a_failing_export_is_one_line_a_minute(collector: Collector, logged: io.StringIO) -> None:
    collector.error = ConnectionError("ada@example.com")
    export, before = export_to(collector), counted("failed")

    for batch in range(3):
        export.record(ended())
        until(lambda: collector.batches > batch, of="an export")  # noqa: B023  called at once
    export.close()

    lines = [json.loads(it) for it in logged.getvalue().splitlines()]
    assert lines == [{"event": TRACES_NOT_EXPORTED, "spans": 1, "instance": "gateway-1"}]
    assert counted("failed") - before == 3


def test_the_end_waits_for_a_collector_that_hangs_but_not_for_long(collector: Collector) -> None:
    collector.answering.clear()
    export = export_to(collector)
    export.record(ended())

    began = time.monotonic()
    export.close(0.2)

    assert time.monotonic() - began < 5


def test_services_without_traces_load_no_exporter() -> None:
    code = """
import sys, gateway.__main__, order_writer.__main__, enricher.__main__, action_trigger.__main__
from order_runtime.observability.trace_pipeline import tracing
from order_runtime.process.settings import ServiceSettings
settings = ServiceSettings(kafka="k:1", mongo="mongodb://m", instance="i", health_port=1)
with tracing(settings, "gateway", "1") as traces:
    assert traces is None
names = ("opentelemetry.sdk", "opentelemetry.exporter", "google.protobuf", "requests")
print([it for it in names if it in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
