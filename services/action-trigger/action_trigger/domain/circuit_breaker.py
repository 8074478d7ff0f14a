"""A circuit breaker as a value: an endpoint that keeps failing is sent single probes only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

THRESHOLD: Final = 10  # failed attempts in a row, whichever deliveries they belong to
PROBE_EVERY: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Circuit:
    """
    Closed until THRESHOLD attempts in a row have failed, then open: one probe each PROBE_EVERY.

    The first success closes it. A delivery that waits for an open circuit uses up no attempt.
    """

    failures: int = 0
    probe_at: datetime | None = None
    """When the next probe may be sent; None while closed."""

    @property
    def is_open(self) -> bool:
        return self.probe_at is not None

    def after(self, *, success: bool, now: datetime) -> Circuit:
        """Return the circuit after an attempt that ended *now*."""
        if success:
            return CLOSED
        failures = self.failures + 1
        return Circuit(failures, now + PROBE_EVERY if failures >= THRESHOLD else None)

    def waits_until(self, now: datetime) -> datetime | None:
        """Return when the next probe may be sent; None if a request may be sent now."""
        return self.probe_at if self.probe_at is not None and now < self.probe_at else None


CLOSED: Final = Circuit()


@dataclass(frozen=True, slots=True)
class OpenCircuit:
    """An open circuit as operators see it: since when, and what the last attempt met."""

    since: datetime
    probe_at: datetime
    failures: int
    answered_at: datetime
    status: int | None
    """Of the last answer; None where there was none, for *reason*."""
    reason: str | None = None
