"""The span of a request that publishes commands."""

from __future__ import annotations

from dataclasses import dataclass, replace

from starlette.requests import Request

from gateway.domain.request_terms import RequestTerms
from order_runtime.observability.span_attributes import HTTP_METHOD, HTTP_ROUTE, HTTP_STATUS
from order_runtime.observability.tracing import SpanKind, StartedSpan, Tracing, handed_on


@dataclass(frozen=True, slots=True)
class RequestSpan:
    """A span that is recorded with the answer."""

    tracing: Tracing
    span: StartedSpan

    @property
    def traceparent(self) -> str:
        return self.span.traceparent

    def end(self, method: str, route: str, status: int, seconds: float) -> None:
        """Record it as of the whole request, which took *seconds* until now."""
        started = self.tracing.now() - round(seconds * 1_000_000_000)
        self.tracing.end(
            replace(self.span, started=started),
            f"{method} {route}",
            SpanKind.SERVER,
            {HTTP_METHOD: method, HTTP_ROUTE: route, HTTP_STATUS: status},
            error=str(status) if status >= 500 else None,
        )


def in_span(
    tracing: Tracing | None, request: Request, terms: RequestTerms, commands: int = 1
) -> RequestTerms:
    """
    Return the terms of a request for so many *commands*, which follow from the request's own span.

    Leaves that in the request's state, if the trace is recorded.
    """
    if tracing is None:
        return terms
    span = tracing.entered(terms.traceparent, records=commands)
    if span is not None:
        request.scope["state"]["span"] = RequestSpan(tracing, span)
    elif terms.traceparent is None:
        return terms
    return replace(terms, traceparent=handed_on(span, terms.traceparent))
