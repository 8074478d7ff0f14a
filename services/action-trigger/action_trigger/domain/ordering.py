"""Whose turn it is among the deliveries of one order. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from action_trigger.domain.delivery import PendingDelivery

PRECEDENCE: Final = timedelta(seconds=60)
"""So long a delivery goes before the later ones of its order; one that keeps failing gives way."""
LOOK_AGAIN: Final = timedelta(seconds=1)


def blocked_until(
    delivery: PendingDelivery, others: Iterable[PendingDelivery], now: datetime
) -> datetime | None:
    """Return when to look at *head* again, because others go first; None if it may go now."""
    ahead = [
        min(other.due_at, other.created_at + PRECEDENCE)
        for other in others
        if other.offset < delivery.offset and other.created_at + PRECEDENCE > now
    ]
    return max(min(ahead), now + LOOK_AGAIN) if ahead else None
