"""
The order in which the deliveries of one orderId are sent.

However many an order has gathered, a few of them are in its lane, in memory, and the others are
parked in the database, where they come after those.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from action_trigger.domain.delivery import PendingDelivery

PRECEDENCE: Final = timedelta(seconds=60)
"""How long after its creation a delivery goes before later ones of its order; if it still fails
then, they overtake it."""
MIN_RECHECK: Final = timedelta(seconds=1)
MAX_RECHECK: Final = timedelta(minutes=10)
"""Parked deliveries are taken out one after the other; what a crash or an erasure left behind is
found within this time."""
LANE_DEPTH: Final = 8  # deliveries of one order in memory; read together, so not one by one
YOUNG_READ: Final = 2 * LANE_DEPTH + 1
"""How many young deliveries of an order are read: one at least is neither in its lane nor about to
be, if there is any."""

Postponed = tuple[PendingDelivery, datetime]
"""A delivery that has to wait for others of its order, and when to look at it again."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What an order has in the database, as far as it decides whose turn it is."""

    young: tuple[PendingDelivery, ...] = ()
    """The oldest of the pending ones that PRECEDENCE still protects, at most YOUNG_READ."""
    has_parked: bool = False


EMPTY: Final = Backlog()


def split_by_turn(
    candidates: Collection[PendingDelivery],
    backlogs: Mapping[str, Backlog],
    is_queued: Callable[[PendingDelivery], bool],
    now: datetime,
    *,
    probing: bool = False,
) -> tuple[list[PendingDelivery], list[Postponed]]:
    """
    Return the candidates that may be sent now, by offset, and those that come after others.

    One that was never attempted comes after those that are parked: it was recorded later. But if
    it is the probe of an open circuit, for which parked ones are not taken out.
    """
    ids = {delivery.id for delivery in candidates}
    ready: list[PendingDelivery] = []
    postponed: list[Postponed] = []
    for delivery in by_offset(candidates):
        backlog = backlogs.get(delivery.order_id, EMPTY)
        others = [it for it in backlog.young if it.id not in ids and not is_queued(it)]
        if at := blocked_until(delivery, others, now):
            postponed.append((delivery, at))
        elif backlog.has_parked and not delivery.attempts and not probing:
            postponed.append((delivery, parked_until(delivery, now)))
        else:
            ready.append(delivery)
    return ready, postponed


def blocked_until(
    delivery: PendingDelivery, others: Iterable[PendingDelivery], now: datetime
) -> datetime | None:
    """
    Return when others give way to *delivery*; None if it may be sent now.

    *others* are pending deliveries of the same order; those with a smaller offset go first.
    """
    ends = [
        other.created_at + PRECEDENCE
        for other in others
        if other.offset < delivery.offset and other.created_at + PRECEDENCE > now
    ]
    return max(min(ends), now + MIN_RECHECK) if ends else None


def free_to_follow(
    parked: Sequence[PendingDelivery], young: Iterable[PendingDelivery], now: datetime
) -> list[PendingDelivery]:
    """Return the first of *parked*, given by offset, that wait for none but one another."""
    ids = {delivery.id for delivery in parked}
    others = [delivery for delivery in young if delivery.id not in ids]
    return list(takewhile(lambda delivery: not blocked_until(delivery, others, now), parked))


def parked_until(delivery: PendingDelivery, now: datetime) -> datetime:
    """Return when to look again at one that comes after others: the older it is, the later."""
    return now + min(max(now - delivery.created_at, PRECEDENCE), MAX_RECHECK)


def first_of_each_order(
    deliveries: Iterable[PendingDelivery], room: Callable[[str], int]
) -> tuple[list[PendingDelivery], list[PendingDelivery]]:
    """Return the first of each order, as many as its lane has room for, and the others."""
    chosen: list[PendingDelivery] = []
    others: list[PendingDelivery] = []
    counts = defaultdict[str, int](int)
    for delivery in by_offset(deliveries):
        has_room = counts[delivery.order_id] < room(delivery.order_id)
        counts[delivery.order_id] += has_room
        (chosen if has_room else others).append(delivery)
    return sorted(chosen, key=lambda delivery: delivery.due_at), others


def by_offset(deliveries: Iterable[PendingDelivery]) -> list[PendingDelivery]:
    return sorted(deliveries, key=lambda delivery: (delivery.partition, delivery.offset))
