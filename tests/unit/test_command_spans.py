"""The spans of commands at the order-writer, and the trace that their events carry."""

from __future__ import annotations

import threading

import pytest

from order_contracts.topics import EVENTS
from order_contracts.trace_context import TraceContext
from order_runtime.kafka.records import Record
from order_runtime.observability.tracing import EndedSpan, Tracing
from order_writer.app.batch_processor import BatchProcessor
from support.builders.commands import command_record, raw_record, register
from support.builders.gateway_records import OWN_TOPIC, issued_id
from support.fakes.memory_kafka import MemorySink
from support.fakes.memory_ledger import MemoryLedger
from support.fakes.memory_source import MemorySource

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
LEFT_OUT = f"00-{TRACE}-b7ad6b7169203331-00"
MALFORMED = "00-x-01\r\nx: y"


def published(traceparent: str | None = None, job_id: str = "job-1") -> Record:
    headers = () if traceparent is None else (("traceparent", traceparent.encode()),)
    return command_record(register("o-1"), job_id, headers=headers)


def settled(record: Record, sample: float | None) -> tuple[str | None, list[EndedSpan]]:
    """Return the `traceparent` of the command's event, and the spans that were recorded."""
    spans: list[EndedSpan] = []
    tracing = None if sample is None else Tracing(sample, spans.append)
    stop, ledger, sink = threading.Event(), MemoryLedger([]), MemorySink()
    source = MemorySource([record], [], stored=ledger.offsets)
    source.on_end = stop.set
    BatchProcessor(source, ledger, sink, OWN_TOPIC, stop, tracing=tracing).run(10, 1024 * 1024)
    [event] = [it for it in sink.published if it.topic == EVENTS.name]
    carried = dict(event.headers).get("traceparent")
    return (carried.decode() if carried else None), spans


@pytest.mark.parametrize("traceparent", [SAMPLED, LEFT_OUT, None])
def test_without_traces_an_event_carries_that_of_its_command(traceparent: str | None) -> None:
    assert settled(published(traceparent), None) == (traceparent, [])


@pytest.mark.parametrize("sample", [None, 0.0])
def test_a_malformed_one_is_not_carried(sample: float | None) -> None:
    assert settled(published(MALFORMED), sample) == (None, [])


def test_a_command_whose_trace_is_recorded_has_a_span_that_its_event_follows() -> None:
    record = published(SAMPLED)

    carried, [span] = settled(record, 0)

    assert carried == span.span.traceparent
    assert span.span.parent == TraceContext.parsed(SAMPLED)
    assert span.span.context.trace_id == int(TRACE, 16)
    assert span.span.started <= span.ended
    assert (span.name, span.kind, span.follows) == ("process orders.commands", "CONSUMER", True)
    assert span.error is None
    assert span.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "orders.commands",
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
        "messaging.consumer.group.name": "order-writer",
        "ordermill.order_id": "o-1",
        "ordermill.job_id": "job-1",
        "ordermill.message": "RegisterOrder",
    }


def test_what_is_left_out_stays_that_trace() -> None:
    assert settled(published(LEFT_OUT), 1) == (LEFT_OUT, [])


def test_a_published_command_without_a_trace_is_drawn() -> None:
    carried, [span] = settled(published(), 1)

    assert (span.span.parent, carried) == (None, span.span.traceparent)
    assert settled(published(), 0) == (None, [])


def test_a_gateways_command_without_a_trace_was_drawn_there() -> None:
    assert settled(published(job_id=issued_id()), 1) == (None, [])


def test_a_refused_command_says_why_by_a_code() -> None:
    record = raw_record(b"{", "o-1", job_id="job-1", headers=(("traceparent", SAMPLED.encode()),))

    carried, [span] = settled(record, 1)

    assert (span.error, carried) == ("ValidationFailed", span.span.traceparent)
