"""
Traces: which spans are recorded, and under which ids. Imports nothing of OpenTelemetry.

A span is recorded once it has ended, as a value. What follows from it needs its ids alone, and is
given them as a `traceparent`; so no object waits beside a record of a batch, and a record that
isn't sampled costs a look at its header.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from order_contracts.trace_context import TraceContext

Attributes = Mapping[str, str | int]

FORCED_PER_SECOND: Final = 20
"""Commands whose traces a process records for no other reason than that a sender wants it."""
_SECOND: Final = 1_000_000_000  # nanoseconds
_DRAW_BITS: Final = 53  # as many as a float has
_ODD: Final = frozenset("13579bdf")  # the last digit of flags with the one that says `sampled`


class SpanKind(StrEnum):
    """As OpenTelemetry names them."""

    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True, slots=True)
class StartedSpan:
    """A span that is recorded once it has ended."""

    context: TraceContext
    parent: TraceContext | None
    started: int
    """Nanoseconds since 1970, like all times here."""

    @property
    def traceparent(self) -> str:
        """The header of what follows from the span."""
        return self.context.header()


@dataclass(frozen=True, slots=True)
class EndedSpan:
    """A span as it is exported."""

    span: StartedSpan
    ended: int
    name: str
    kind: SpanKind
    attributes: Attributes
    error: str | None = None
    """A code or a status, where it failed; never a message, which may be personal."""
    follows: bool = False
    """Whether its parent is repeated as a link, as the conventions want it of a message's."""


class Tracing:
    """
    Decides what is recorded; for one thread.

    *sample* is which part of the traces that begin here is recorded, from 0 to 1. *record* takes
    the spans; it neither waits nor raises.
    """

    def __init__(
        self,
        sample: float,
        record: Callable[[EndedSpan], None],
        *,
        clock: Callable[[], int] = time.time_ns,
        bits: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self._all, self._bound = sample >= 1, int(sample * (1 << _DRAW_BITS))
        self._record = record
        self._bits = bits
        self.now = clock
        self._second, self._forced = 0, 0

    def entered(
        self, traceparent: str | None, *, started: int | None = None, records: int = 1
    ) -> StartedSpan | None:
        """
        Start a span for what came from outside; None where its trace isn't recorded.

        Where the sender has a trace of its own, what it decided counts; else the sample is drawn.
        Of traces that senders want recorded FORCED_PER_SECOND *records* are, and then a sample:
        neither their flag nor their trace's id may make a process record more than it was set to.
        """
        if traceparent is None:
            return self._new(started) if self._drawn() else None
        if _not_sampled(traceparent):
            return None
        parent = TraceContext.parsed(traceparent)
        if parent is None:
            return self._new(started) if self._drawn() else None
        admitted = self._all or self._admits_forced(records) or self._drawn()
        return self._child(parent, started) if admitted else None

    def followed(self, traceparent: str | None, started: int | None = None) -> StartedSpan | None:
        """Start a span for what this system sent; None where its trace isn't recorded."""
        if traceparent is None or _not_sampled(traceparent):
            return None
        parent = TraceContext.parsed(traceparent)
        return self._child(parent, started) if parent else None

    def end(
        self,
        span: StartedSpan,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        *,
        error: str | None = None,
        follows: bool = False,
    ) -> None:
        """Record *span*, which ends now."""
        self._record(EndedSpan(span, self.now(), name, kind, attributes, error, follows))

    def _new(self, started: int | None) -> StartedSpan:
        context = TraceContext(self._bits(128) or 1, self._bits(64) or 1, sampled=True)
        return StartedSpan(context, None, self.now() if started is None else started)

    def _child(self, parent: TraceContext, started: int | None) -> StartedSpan:
        context = TraceContext(parent.trace_id, self._bits(64) or 1, sampled=True)
        return StartedSpan(context, parent, self.now() if started is None else started)

    def _drawn(self) -> bool:
        return self._all or self._bits(_DRAW_BITS) < self._bound

    def _admits_forced(self, records: int) -> bool:
        second = self.now() // _SECOND
        if second != self._second:
            self._second, self._forced = second, 0
        if self._forced + records > FORCED_PER_SECOND:
            return False
        self._forced += records
        return True


def _not_sampled(traceparent: str) -> bool:
    """Return whether the flags say so; a quick look, since nearly all of them do."""
    return traceparent[-1:] not in _ODD


def handed_on(span: StartedSpan | None, traceparent: str | None) -> str | None:
    """
    Return the header of what follows from something that came with *traceparent*.

    Without a *span* the trace goes on, and nothing of it is recorded. *traceparent* has the form.
    """
    if span is not None:
        return span.traceparent
    if traceparent is None or _not_sampled(traceparent):
        return traceparent
    context = TraceContext.parsed(traceparent)
    return context.not_sampled().header() if context else None
