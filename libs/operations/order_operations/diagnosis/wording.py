"""Times, names and numbers as the sentences of findings say them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

NAMED: Final = 4  # of a list; the rest is counted
_MINUTE: Final = 60.0
_HOUR: Final = 3_600.0
_DAY: Final = 86_400.0
_MB: Final = 1_000_000
_GB: Final = 1_000_000_000


def listed(names: Sequence[str]) -> str:
    """Return *names* as part of a sentence."""
    shown = [*names[:NAMED], f"{len(names) - NAMED} more"] if len(names) > NAMED else [*names]
    if len(shown) < 2:
        return "".join(shown)
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def counted(count: int, noun: str) -> str:
    """Return a number with *noun*, in the plural but for one."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def lasting(seconds: float) -> str:
    """Return how long something lasts, in the unit that fits."""
    for size, unit in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if seconds >= size:
            return counted(int(seconds / size), unit)
    return counted(int(seconds), "second")


def since(at: datetime, now: datetime) -> str:
    """Return when something began: by the clock, and how long ago."""
    seconds = max(now - at, timedelta()).total_seconds()
    return f"since {at:%Y-%m-%d %H:%M:%S}Z, for {lasting(seconds)}"


def percent(share: float) -> str:
    return f"{share:.0%}"


def size(count: int) -> str:
    """Return a number of bytes in the unit that fits."""
    return f"{count / _GB:.1f} GB" if count >= _GB else f"{count / _MB:.0f} MB"
