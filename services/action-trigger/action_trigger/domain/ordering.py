"""The order in which the deliveries of one orderId are sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from action_trigger.domain.delivery import PendingDelivery

PRECEDENCE: Final = timedelta(seconds=60)
"""How long after its creation a delivery goes before later ones of its order; if it still fails
then, they overtake it."""
MIN_RECHECK: Final = timedelta(seconds=1)

Postponed = tuple[PendingDelivery, datetime]
"""A delivery that has to wait for an earlier one, and when to check again."""


def split_by_turn(
    candidates: Iterable[PendingDelivery], others: Iterable[PendingDelivery], now: datetime
) -> tuple[list[PendingDelivery], list[Postponed]]:
    """Return the candidates that may be sent now, by offset, and those that *others* block."""
    others_of = defaultdict(list)
    for other in others:
        others_of[other.order_id].append(other)
    ready: list[PendingDelivery] = []
    postponed: list[Postponed] = []
    for delivery in sorted(candidates, key=lambda delivery: (delivery.partition, delivery.offset)):
        if at := blocked_until(delivery, others_of[delivery.order_id], now):
            postponed.append((delivery, at))
        else:
            ready.append(delivery)
    return ready, postponed


def blocked_until(
    delivery: PendingDelivery, others: Iterable[PendingDelivery], now: datetime
) -> datetime | None:
    """
    Return when to check again whether *delivery* may be sent; None if it may be sent now.

    *others* are pending deliveries of the same order; those with a smaller offset go first.
    """
    rechecks = [
        min(other.due_at, other.created_at + PRECEDENCE)
        for other in others
        if other.offset < delivery.offset and other.created_at + PRECEDENCE > now
    ]
    return max(min(rechecks), now + MIN_RECHECK) if rechecks else None
