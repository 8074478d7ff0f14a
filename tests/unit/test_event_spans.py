"""The spans of events and of orders that heal, and the traces of what waits."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from enricher.adapters.held_action_store import held_action_of, hold_write
from enricher.adapters.links import link_document, link_of
from enricher.app.event_spans import HealingSpans, begin_spans, end_spans
from enricher.domain.announced import AnnouncedEvent
from enricher.domain.model import NO_EFFECT, ContactLink, DecidedEvent, HeldAction, ReceivedEvent
from order_contracts.events import EventType, Missing
from order_contracts.order import ActionName, ActionRequest
from order_contracts.trace_context import TraceContext
from order_runtime.observability.tracing import EndedSpan, Tracing
from support.builders.writer_fixtures import AT

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
LEFT_OUT = f"00-{TRACE}-b7ad6b7169203331-00"
HOUR = timedelta(hours=1)
WAITING = ContactLink(
    "o-1",
    "job-1",
    3,
    None,
    AT,
    missing=(Missing(code="ContactMissing", reference="Email"),),
    waits_for=("Email:ann@x.se",),
    traceparent=SAMPLED,
)
HELD = HeldAction(
    job_id="job-1",
    order_id="o-1",
    version=3,
    contact_version=3,
    action=ActionRequest(action=ActionName.CONFIRM_ORDER),
    accepted_at=AT,
    until=AT + HOUR,
    traceparent=SAMPLED,
)


def ignored(_: EndedSpan) -> None:
    """Take a span that a test doesn't look at."""


def event(job_id: str, traceparent: str | None) -> ReceivedEvent:
    return ReceivedEvent(
        EventType.REGISTERED, AnnouncedEvent(job_id, "o-1"), AT, traceparent, place=(3, 7)
    )


def test_an_event_whose_trace_is_recorded_has_a_span_that_the_rest_follows() -> None:
    recorded: list[EndedSpan] = []
    tracing = Tracing(0, recorded.append)
    given = [event("job-1", SAMPLED), event("job-2", LEFT_OUT), event("job-3", None)]

    followed, spans = begin_spans(tracing, given)
    end_spans(tracing, [DecidedEvent(it, NO_EFFECT) for it in followed], spans)

    [span] = recorded
    assert followed == [replace(given[0], traceparent=span.span.traceparent), *given[1:]]
    assert span.span.parent == TraceContext.parsed(SAMPLED)
    assert (span.name, span.kind, span.follows) == ("process orders.events", "CONSUMER", True)
    assert (
        span.attributes.items()
        >= {
            "messaging.consumer.group.name": "enricher",
            "messaging.destination.partition.id": "3",
            "messaging.kafka.offset": 7,
            "ordermill.order_id": "o-1",
            "ordermill.job_id": "job-1",
            "ordermill.message": EventType.REGISTERED,
        }.items()
    )


def test_an_event_that_was_handled_before_has_no_span() -> None:
    recorded: list[EndedSpan] = []
    tracing = Tracing(1, recorded.append)

    _, spans = begin_spans(tracing, [event("job-1", SAMPLED)])
    end_spans(tracing, [], spans)

    assert recorded == []


def test_what_waits_keeps_its_trace() -> None:
    update: Any = hold_write(HELD)._doc  # noqa: SLF001  PyMongo shows it nowhere else

    assert link_of(link_document(WAITING)).traceparent == SAMPLED
    assert held_action_of(update["$setOnInsert"]).traceparent == SAMPLED


def test_what_waits_for_nothing_keeps_none() -> None:
    healed = replace(WAITING, contact_id="c-1", missing=(), waits_for=())

    assert "traceparent" not in link_document(healed)
    assert "traceparent" not in link_document(replace(WAITING, traceparent=None))


def test_an_order_and_its_action_heal_in_one_span_of_their_job() -> None:
    recorded: list[EndedSpan] = []
    spans = HealingSpans(Tracing(0, recorded.append))

    carried = {spans.following("job-1", "o-1", SAMPLED) for _ in range(2)}
    spans.end()

    [span] = recorded
    assert carried == {span.span.traceparent}
    assert span.span.parent == TraceContext.parsed(SAMPLED)
    assert (span.name, span.kind, span.follows) == ("heal order", "INTERNAL", True)
    assert span.attributes == {"ordermill.order_id": "o-1", "ordermill.job_id": "job-1"}


@pytest.mark.parametrize("tracing", [None, Tracing(1, ignored)])
@pytest.mark.parametrize("traceparent", [LEFT_OUT, None])
def test_what_is_left_out_heals_in_its_own_trace(
    tracing: Tracing | None, traceparent: str | None
) -> None:
    spans = HealingSpans(tracing)

    assert spans.following("job-1", "o-1", traceparent) == traceparent
    spans.end()
