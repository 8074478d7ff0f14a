"""The span of a request, and that of sending its command."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from gateway.app.command_acceptance import CommandAcceptance
from gateway.domain.command_record import command_of
from gateway.domain.request_terms import RequestTerms
from gateway.http.request_context import RequestContext
from gateway.http.request_span import in_span
from order_contracts.commands import RegisterOrder
from order_contracts.decoding import parse
from order_contracts.trace_context import TraceContext
from order_runtime.kafka.publisher import OutcomeUnknown
from order_runtime.kafka.records import Outgoing
from order_runtime.observability.tracing import EndedSpan, Tracing
from support.builders.bodies import order_body
from support.builders.gateway_records import SECRETS, SIGNATURES

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
LEFT_OUT = f"00-{TRACE}-b7ad6b7169203331-00"
NOW = datetime(2025, 12, 1, tzinfo=UTC)
SCOPE: Scope = {"type": "http", "method": "POST", "path": "/api/v3/orders", "headers": []}


def ignored(_: EndedSpan) -> None:
    """Take a span that a test doesn't look at."""


def requested(
    tracing: Tracing | None, traceparent: str | None, status: int = 202, commands: int = 1
) -> tuple[RequestTerms, dict[str, object]]:
    """Return the terms of a request that was answered, and what the access log says of it."""
    logged: list[dict[str, object]] = []
    terms: list[RequestTerms] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["route"] = "/api/v3/orders"
        given = RequestTerms(traceparent=traceparent)
        terms.append(in_span(tracing, Request(scope, receive), given, commands))
        await send({"type": "http.response.start", "status": status, "headers": []})

    async def send(_: Message) -> None:
        pass

    async def receive() -> Message:
        raise AssertionError

    context = RequestContext(app, lambda facts: logged.append(dict(facts)))
    asyncio.run(context({**SCOPE}, receive, send))
    return terms[0], logged[0]


def test_without_traces_a_request_hands_on_what_it_was_given() -> None:
    terms, logged = requested(None, SAMPLED)

    assert terms.traceparent == SAMPLED
    assert "trace_id" not in logged


def test_a_request_whose_trace_is_recorded_has_a_span_until_its_answer() -> None:
    recorded: list[EndedSpan] = []

    terms, logged = requested(Tracing(0, recorded.append), SAMPLED)

    [span] = recorded
    assert terms.traceparent == span.span.traceparent
    assert span.span.parent == TraceContext.parsed(SAMPLED)
    assert (span.name, span.kind, span.follows) == ("POST /api/v3/orders", "SERVER", False)
    assert (span.error, logged["trace_id"]) == (None, TRACE)
    assert span.attributes == {
        "http.request.method": "POST",
        "http.route": "/api/v3/orders",
        "http.response.status_code": 202,
    }


@pytest.mark.parametrize(("status", "error"), [(207, None), (409, None), (503, "503")])
def test_it_failed_where_the_gateway_did(status: int, error: str | None) -> None:
    recorded: list[EndedSpan] = []

    requested(Tracing(1, recorded.append), None, status)

    assert [it.error for it in recorded] == [error]


@pytest.mark.parametrize("traceparent", [LEFT_OUT, None])
def test_what_is_left_out_is_handed_on_as_that(traceparent: str | None) -> None:
    recorded: list[EndedSpan] = []

    terms, logged = requested(Tracing(0, recorded.append), traceparent)

    assert (terms.traceparent, recorded) == (traceparent, [])
    assert "trace_id" not in logged


def test_a_large_bulk_is_not_recorded_because_its_sender_wants_it() -> None:
    terms, _ = requested(Tracing(0, ignored), SAMPLED, commands=1_000)

    assert terms.traceparent == LEFT_OUT


class Sends:
    """Keeps what is handed over; a test says what becomes of it."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def hand_over(self, record: Outgoing) -> asyncio.Future[None]:
        self.sent.append(record)
        return self.future


async def sent(
    traceparent: str | None, error: Exception | None = None
) -> tuple[str | None, list[EndedSpan], str]:
    """Return the command's `traceparent`, the spans, and its job's id, once Kafka has answered."""
    nothing: Any = SimpleNamespace()
    publisher: Any = Sends()
    spans: list[EndedSpan] = []
    tracing = Tracing(0, spans.append)
    acceptance = CommandAcceptance(publisher, nothing, nothing, SECRETS, SIGNATURES, tracing)
    command = command_of(RegisterOrder, parse(json.dumps(order_body("o-1")).encode()), NOW)
    submission = acceptance.submission(command, RequestTerms(traceparent=traceparent))
    future = acceptance.hand_over(submission)
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
    await asyncio.wait([future])
    [record] = publisher.sent
    carried = dict(record.headers).get("traceparent")
    return (carried.decode() if carried else None), spans, submission.job_id


async def test_a_command_follows_from_its_sending() -> None:
    carried, [span], job_id = await sent(SAMPLED)

    assert carried == span.span.traceparent
    assert span.span.parent == TraceContext.parsed(SAMPLED)
    assert (span.name, span.kind, span.error) == ("send orders.commands", "PRODUCER", None)
    assert span.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "orders.commands",
        "ordermill.order_id": "o-1",
        "ordermill.job_id": job_id,
        "ordermill.message": "RegisterOrder",
    }


async def test_a_command_without_an_answer_says_so() -> None:
    _, [span], _ = await sent(SAMPLED, OutcomeUnknown("_MSG_TIMED_OUT"))

    assert span.error == "OutcomeUnknown"


@pytest.mark.parametrize("traceparent", [LEFT_OUT, None])
async def test_a_command_that_is_left_out_is_sent_as_it_is(traceparent: str | None) -> None:
    assert (await sent(traceparent))[:2] == (traceparent, [])
