"""A circuit breaker as a value: an endpoint that only fails is asked by one webhook at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

THRESHOLD: Final = 10  # failures in a row, of whichever deliveries
PROBE_EVERY: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Circuit:
    """
    Closed until THRESHOLD attempts in a row failed; then open, but for one probe each PROBE_EVERY.

    The first success closes it. Only attempts count, so a delivery that waits behind an open
    circuit keeps its own.
    """

    failures: int = 0
    probe_at: datetime | None = None
    """When the next attempt may be made; None while it is closed."""

    @property
    def is_open(self) -> bool:
        return self.probe_at is not None

    def after(self, *, success: bool, now: datetime) -> Circuit:
        if success:
            return CLOSED
        failures = self.failures + 1
        return Circuit(failures, now + PROBE_EVERY if failures >= THRESHOLD else None)

    def waits_until(self, now: datetime) -> datetime | None:
        """Return when something may be sent again; None if it may now."""
        return self.probe_at if self.probe_at is not None and now < self.probe_at else None


CLOSED: Final = Circuit()
