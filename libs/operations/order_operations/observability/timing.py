"""How long alerts wait, and how far rates look back; drills have the same rules, but faster."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Timing:
    """Production has a *scale* of 1; with 0.02, five minutes are six seconds."""

    scale: float = 1.0

    def text(self, time: timedelta) -> str:
        """Return a duration as PromQL has it; at least a second."""
        seconds = max(1, round(time.total_seconds() * self.scale))
        for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
            if seconds % size == 0:
                return f"{seconds // size}{unit}"
        return f"{seconds}s"

    def seconds(self, time: timedelta) -> float:
        return time.total_seconds() * self.scale
