"""The spans of deliveries and of attempts at them, and the trace that a webhook carries."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from action_trigger.app.delivery_spans import AttemptSpans, begin_spans, end_spans
from action_trigger.domain.decode import decode_action
from action_trigger.domain.delivery import PendingDelivery, ReceivedAction
from action_trigger.domain.retry_policy import NoResponse, Response
from order_contracts.order import ActionName
from order_contracts.trace_context import TraceContext
from order_runtime.kafka.records import Record
from order_runtime.observability.tracing import EndedSpan, Tracing
from support.builders.actions import action_record, order_action

AT = datetime(2025, 11, 28, 10, tzinfo=UTC)
TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
LEFT_OUT = f"00-{TRACE}-b7ad6b7169203331-00"
DELIVERY = PendingDelivery(
    id="action-1",
    order_id="o-1",
    partition=0,
    offset=7,
    action=ActionName.CONFIRM_ORDER,
    size=100,
    attempts=0,
    scheduled=0,
    due_at=AT,
    created_at=AT,
    started_at=AT,
    traceparent=SAMPLED,
)


def ignored(_: EndedSpan) -> None:
    """Take a span that a test doesn't look at."""


def received(traceparent: str | None) -> ReceivedAction:
    sent = action_record(order_action())
    headers = dict(sent.headers) | {"traceparent": (traceparent or "").encode()}
    record = Record(sent.topic, 3, 7, AT, sent.key, sent.value, tuple(headers.items()))
    found = decode_action(record)
    assert isinstance(found, ReceivedAction)
    return found


def attempted(delivery: PendingDelivery, response: Response | NoResponse) -> EndedSpan:
    """Return the span of an attempt; its webhook carries it."""
    recorded: list[EndedSpan] = []
    spans = AttemptSpans(Tracing(0, recorded.append))
    span = spans.begin(delivery)
    spans.end(span, delivery, "default", response)
    assert span is not None
    assert spans.header(span, delivery) == span.traceparent
    [ended] = recorded
    assert ended.span == span
    return ended


def test_a_recorded_delivery_has_a_span_that_its_attempts_follow() -> None:
    recorded: list[EndedSpan] = []
    tracing, action = Tracing(0, recorded.append), received(SAMPLED)

    [followed], spans = begin_spans(tracing, [action])
    end_spans(tracing, [followed], spans)

    [span] = recorded
    assert followed == replace(action, traceparent=span.span.traceparent)
    assert span.span.parent == TraceContext.parsed(SAMPLED)
    assert (span.name, span.kind, span.follows) == ("process orders.actions", "CONSUMER", True)
    assert (
        span.attributes.items()
        >= {
            "ordermill.order_id": action.order_id,
            "ordermill.job_id": action.job_id,
            "ordermill.message": "ConfirmOrder",
            "messaging.destination.partition.id": "3",
            "messaging.kafka.offset": 7,
        }.items()
    )


def test_what_is_not_recorded_has_no_span() -> None:
    recorded: list[EndedSpan] = []
    tracing = Tracing(1, recorded.append)

    _, spans = begin_spans(tracing, [received(SAMPLED)])
    end_spans(tracing, [], spans)

    assert recorded == []


@pytest.mark.parametrize("traceparent", [LEFT_OUT, None, "00-x-01\r\nx: y"])
def test_a_delivery_that_is_left_out_keeps_its_trace(traceparent: str | None) -> None:
    tracing, action = Tracing(1, ignored), received(traceparent)

    followed, spans = begin_spans(tracing, [action])

    assert (list(followed), dict(spans)) == ([action], {})
    assert action.traceparent == (LEFT_OUT if traceparent == LEFT_OUT else None)


def test_an_attempt_says_what_was_answered() -> None:
    span = attempted(DELIVERY, Response(204))

    assert (span.name, span.kind, span.error) == ("POST", "CLIENT", None)
    assert span.span.parent == TraceContext.parsed(SAMPLED)
    assert span.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 204,
        "ordermill.endpoint": "default",
        "ordermill.order_id": "o-1",
        "ordermill.attempt": 1,
    }


def test_a_retry_counts_the_attempts_before() -> None:
    span = attempted(replace(DELIVERY, attempts=2), Response(503))

    assert span.error == "503"
    assert (
        span.attributes.items()
        >= {
            "http.response.status_code": 503,
            "ordermill.attempt": 3,
            "http.request.resend_count": 2,
        }.items()
    )


def test_an_attempt_without_an_answer_says_why() -> None:
    span = attempted(DELIVERY, NoResponse("timeout"))

    assert span.error == "timeout"
    assert "http.response.status_code" not in span.attributes


@pytest.mark.parametrize("tracing", [None, Tracing(1, ignored)])
def test_a_webhook_that_is_left_out_carries_the_trace_of_its_delivery(
    tracing: Tracing | None,
) -> None:
    spans, delivery = AttemptSpans(tracing), replace(DELIVERY, traceparent=LEFT_OUT)

    span = spans.begin(delivery)

    assert span is None
    assert spans.header(span, delivery) == LEFT_OUT
