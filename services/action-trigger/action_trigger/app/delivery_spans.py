"""The spans of deliveries: one for each that is recorded, one for each attempt at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from action_trigger.domain.delivery import PendingDelivery, ReceivedAction
from action_trigger.domain.retry_policy import NoResponse, Response
from order_contracts.topics import ACTIONS, TRIGGER
from order_runtime.observability.span_attributes import (
    ATTEMPT,
    ENDPOINT,
    HTTP_METHOD,
    HTTP_RESENT,
    HTTP_STATUS,
    ORDER_ID,
    process_name,
    processed,
)
from order_runtime.observability.tracing import SpanKind, StartedSpan, Tracing

POST: Final = "POST"
Spans = Mapping[str, StartedSpan]
"""Of the actions whose traces are recorded, by action."""


def begin_spans(
    tracing: Tracing | None, actions: Sequence[ReceivedAction]
) -> tuple[Sequence[ReceivedAction], Spans]:
    """Start spans; return the actions as what follows from them, for those that have one."""
    if tracing is None:
        return actions, {}
    spans: dict[str, StartedSpan] = {}
    followed: list[ReceivedAction] = []
    for it in actions:
        span = tracing.followed(it.traceparent)
        if span is not None:
            spans[it.action_id] = span
        followed.append(it if span is None else replace(it, traceparent=span.traceparent))
    return followed, spans


def end_spans(tracing: Tracing | None, recorded: Sequence[ReceivedAction], spans: Spans) -> None:
    """Record the spans of what is *recorded*."""
    if tracing is None or not spans:
        return
    for it in recorded:
        if (span := spans.get(it.action_id)) is None:
            continue
        about = processed(
            ACTIONS,
            TRIGGER,
            order_id=it.order_id,
            job_id=it.job_id,
            message=str(it.action),
            partition=str(it.record.partition),
            offset=it.record.offset,
        )
        tracing.end(span, process_name(ACTIONS), SpanKind.CONSUMER, about, follows=True)


class AttemptSpans:
    """The spans of webhooks; they name the endpoint, never its URL, which may hold a secret."""

    def __init__(self, tracing: Tracing | None) -> None:
        self._tracing = tracing

    def begin(self, delivery: PendingDelivery) -> StartedSpan | None:
        return self._tracing.followed(delivery.traceparent) if self._tracing else None

    def header(self, span: StartedSpan | None, delivery: PendingDelivery) -> str | None:
        """Return the `traceparent` of the webhook."""
        return span.traceparent if span else delivery.traceparent

    def end(
        self,
        span: StartedSpan | None,
        delivery: PendingDelivery,
        endpoint: str,
        response: Response | NoResponse,
    ) -> None:
        if self._tracing is None or span is None:
            return
        status = {HTTP_STATUS: response.status} if isinstance(response, Response) else {}
        about: dict[str, str | int] = {
            HTTP_METHOD: POST,
            **status,
            ENDPOINT: endpoint,
            ORDER_ID: delivery.order_id,
            ATTEMPT: delivery.attempts + 1,
        }
        if delivery.attempts:
            about[HTTP_RESENT] = delivery.attempts
        self._tracing.end(span, POST, SpanKind.CLIENT, about, error=_error(response))


def _error(response: Response | NoResponse) -> str | None:
    """Return what `error.type` says: the status, or why there is none."""
    if isinstance(response, NoResponse):
        return response.reason
    return str(response.status) if response.status >= 300 else None
