"""Which traces are recorded: by a sample, by a sender's wish within bounds, by those before."""

from __future__ import annotations

import pytest

from order_contracts.trace_context import TraceContext
from order_runtime.observability.tracing import (
    FORCED_PER_SECOND,
    EndedSpan,
    SpanKind,
    Tracing,
    handed_on,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
LEFT_OUT = f"00-{TRACE}-b7ad6b7169203331-00"
MALFORMED = "00-trace-01"
SECOND = 1_000_000_000


class Clock:
    """Nanoseconds, as far as a test moves them."""

    def __init__(self) -> None:
        self.at = 1_000 * SECOND

    def __call__(self) -> int:
        return self.at


class Drawn:
    """Random bits: the draws as a test gives them, and ids that count up."""

    def __init__(self, *parts: float) -> None:
        self._parts, self._ids = list(parts), 0

    def __call__(self, count: int) -> int:
        if count == 53:
            return int(self._parts.pop(0) * (1 << count))
        self._ids += 1
        return self._ids


def tracing_of(
    sample: float, *draws: float, clock: Clock | None = None
) -> tuple[Tracing, list[EndedSpan]]:
    recorded: list[EndedSpan] = []
    bits = Drawn(*draws)
    return Tracing(sample, recorded.append, clock=clock or Clock(), bits=bits), recorded


def test_a_trace_that_begins_here_is_drawn_from_the_sample() -> None:
    tracing, _ = tracing_of(0.25, 0.24, 0.25, 0.99)

    spans = [tracing.entered(None) for _ in range(3)]

    assert [it is not None for it in spans] == [True, False, False]
    assert spans[0] is not None
    assert spans[0].parent is None
    assert spans[0].context.sampled


@pytest.mark.parametrize("sample", [0.0, 1.0])
def test_none_or_all_are_recorded(sample: float) -> None:
    tracing, _ = tracing_of(sample, *[0.0] * 20)

    assert {tracing.entered(None) is not None for _ in range(20)} == {sample == 1}


def test_a_malformed_trace_is_none() -> None:
    tracing, _ = tracing_of(1)

    span = tracing.entered(MALFORMED)

    assert span is not None
    assert span.parent is None
    assert tracing.followed(MALFORMED) is None


def test_what_a_sender_leaves_out_is_not_recorded_and_stays_that_trace() -> None:
    tracing, _ = tracing_of(1)

    assert tracing.entered(LEFT_OUT) is None
    assert tracing.followed(LEFT_OUT) is None
    assert tracing.followed(None) is None
    assert handed_on(None, LEFT_OUT) == LEFT_OUT


def test_a_sender_that_wants_its_trace_recorded_is_the_parent() -> None:
    tracing, _ = tracing_of(0)

    span = tracing.entered(SAMPLED)

    assert span is not None
    assert span.parent == TraceContext.parsed(SAMPLED)
    assert span.context.trace_id == int(TRACE, 16)
    assert handed_on(span, SAMPLED) == span.traceparent == f"00-{TRACE}-{1:016x}-01"


def test_senders_make_a_process_record_so_many_traces_a_second_and_no_more() -> None:
    clock = Clock()
    tracing, _ = tracing_of(0, *[0.5] * 1_000, clock=clock)

    first = [tracing.entered(SAMPLED) for _ in range(100)]
    clock.at += SECOND
    second = [tracing.entered(SAMPLED) for _ in range(100)]

    assert sum(it is not None for it in first) == FORCED_PER_SECOND
    assert sum(it is not None for it in second) == FORCED_PER_SECOND
    assert handed_on(first[-1], SAMPLED) == LEFT_OUT


def test_beyond_that_their_traces_are_drawn_like_the_others() -> None:
    tracing, _ = tracing_of(0.5, 0.4, 0.6)
    for _ in range(FORCED_PER_SECOND):
        tracing.entered(SAMPLED)

    assert [tracing.entered(SAMPLED) is not None for _ in range(2)] == [True, False]


def test_a_large_bulk_is_recorded_only_where_it_is_drawn() -> None:
    tracing, _ = tracing_of(0.5, 0.6, 0.4)

    assert tracing.entered(SAMPLED, records=1_000) is None
    assert tracing.entered(SAMPLED, records=1_000) is not None
    assert tracing.entered(SAMPLED, records=FORCED_PER_SECOND) is not None


def test_with_the_whole_sample_there_is_no_such_bound() -> None:
    tracing, _ = tracing_of(1)

    assert all(tracing.entered(SAMPLED) for _ in range(10 * FORCED_PER_SECOND))


def test_a_span_is_recorded_with_its_times_and_what_it_says() -> None:
    clock = Clock()
    tracing, recorded = tracing_of(1, clock=clock)
    span = tracing.followed(SAMPLED, clock.at - SECOND)
    assert span is not None

    tracing.end(span, "process orders.events", SpanKind.CONSUMER, {"a": 1}, follows=True)

    [ended] = recorded
    assert (ended.span, ended.ended) == (span, clock.at)
    assert ended.span.started == clock.at - SECOND
    assert (ended.name, ended.attributes) == ("process orders.events", {"a": 1})
    assert (ended.error, ended.follows) == (None, True)
