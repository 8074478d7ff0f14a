"""Actions whose data nobody needs any more, since their order was deleted or replaced."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from enricher.domain.model import ReceivedEvent
from order_contracts.events import EventType


@dataclass(frozen=True, slots=True)
class EndedOrder:
    """A deletion of an order, or the last of the replacements that are handled together."""

    order_id: str
    registration: str | None
    """The job that registered the order: an orderId may be registered again after a deletion."""
    job_id: str
    """The job that deleted or replaced it."""
    replaced_at: datetime | None
    """When the command was accepted that replaced it; None for a deletion."""


@dataclass(frozen=True, slots=True)
class ActionData:
    """A job that still has the data or the language of its action."""

    job_id: str
    order_id: str
    registration: str | None
    at: datetime
    """When its command was accepted."""
    enriched: bool
    """Whether its event was handled."""


def ended_orders(events: Iterable[ReceivedEvent]) -> list[EndedOrder]:
    """Return what the deletions and replacements among *events* ended: each order once."""
    ended: dict[tuple[str, str | None], EndedOrder] = {}
    for it in events:
        if it.kind not in {EventType.DELETED, EventType.REPLACED}:
            continue
        event = it.event
        replaced_at = it.accepted_at if it.kind is EventType.REPLACED else None
        found = EndedOrder(event.order_id, event.registration, event.job_id, replaced_at)
        which = (event.order_id, event.registration)
        if (before := ended.get(which)) is None or _reaches_further(found, before):
            ended[which] = found
    return list(ended.values())


def _reaches_further(one: EndedOrder, other: EndedOrder) -> bool:
    if one.replaced_at is None or other.replaced_at is None:
        return other.replaced_at is not None
    return one.replaced_at >= other.replaced_at


def spent_actions(jobs: Iterable[ActionData], ended: Collection[EndedOrder]) -> list[str]:
    """
    Return the jobs that are to lose their action's data.

    After a deletion all of the order. After a replacement those whose event was handled and whose
    command is no younger, but for the replacement itself.
    """
    orders = {(it.order_id, it.registration): it for it in ended}
    return [it.job_id for it in jobs if _is_spent(it, orders)]


def _is_spent(job: ActionData, orders: Mapping[tuple[str, str | None], EndedOrder]) -> bool:
    ended = orders.get((job.order_id, job.registration))
    if ended is None or ended.job_id == job.job_id:
        return False
    return ended.replaced_at is None or (job.enriched and job.at <= ended.replaced_at)
