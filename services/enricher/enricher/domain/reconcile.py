"""What heals an order: the link as today's facts make it, and the end of each held action."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from enricher.domain.model import (
    ContactLink,
    HeldAction,
    HoldState,
    ReferenceFacts,
    RequestedAction,
    StoredOrder,
)
from enricher.domain.rules import ARTICLE_MISSING, CONTACT_CODES
from order_contracts.events import Missing
from order_contracts.order import ActionName, ActionRequest


@dataclass(frozen=True, slots=True)
class OrderContext:
    """One order and all that is kept of it."""

    stored: StoredOrder | None
    """None if it is gone."""
    link: ContactLink | None = None
    held: Collection[HeldAction] = ()
    asked: Collection[RequestedAction] = ()


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What is to become of one order that is looked at again."""

    link: ContactLink | None
    """The link as it should be; None where there is none, or none that counts."""
    ends: Mapping[str, HoldState]
    """What becomes of the actions that wait, by their job: FIRING or DROPPED."""


def reconcile(found: OrderContext, facts: ReferenceFacts, now: datetime) -> Reconciliation:
    """Return what becomes of an order by today's facts."""
    link = current_link(found)
    fresh = healed_link(link, found.stored, facts) if link and found.stored else None
    linked = fresh is not None and fresh.contact_id is not None
    decided = {it.job_id: _end(it, found, now, linked=linked) for it in found.held}
    return Reconciliation(
        fresh, {job_id: end for job_id, end in decided.items() if end is not None}
    )


def current_link(found: OrderContext) -> ContactLink | None:
    """Return the link if it is of the order as it was last registered or replaced."""
    link, stored = found.link, found.stored
    if link is None or stored is None or link.contact_version != stored.contact_version:
        return None
    return link


def healed_link(link: ContactLink, stored: StoredOrder, facts: ReferenceFacts) -> ContactLink:
    """
    Return *link* without what isn't missing any more.

    It only ever gets better: an order that was linked stays linked to that contact, and an
    article that is deleted later is missed by later orders only.
    """
    contact_id = link.contact_id
    left: list[tuple[Missing, str]] = []
    for lacking, key in zip(link.missing, link.waits_for, strict=True):
        if lacking.code not in CONTACT_CODES:
            known = facts.articles if lacking.code == ARTICLE_MISSING else facts.stores
            left += [] if lacking.reference in known else [(lacking, key)]
        elif isinstance(found := facts.contact_of(stored.contact), str):
            left.append((Missing(code=found, reference=lacking.reference), key))
        else:
            contact_id = found.contact_id
    return replace(
        link,
        contact_id=contact_id,
        missing=tuple(missing for missing, _ in left),
        waits_for=tuple(key for _, key in left),
    )


def _end(held: HeldAction, found: OrderContext, now: datetime, *, linked: bool) -> HoldState | None:
    """
    Return what becomes of an action that waits, if anything.

    It is dropped when its order was deleted, replaced or cancelled after it, or asked for the
    same action again, or when its window is over; else it fires once the order has its contact.
    """
    if not held.waits:
        return None
    if _outdated(held, found.stored) or _repeated(held, found.asked) or held.until <= now:
        return HoldState.DROPPED
    return HoldState.FIRING if linked else None


def _outdated(held: HeldAction, stored: StoredOrder | None) -> bool:
    if stored is None or stored.contact_version != held.contact_version:
        return True
    return stored.cancelled_since is not None and stored.cancelled_since > held.version


def _repeated(held: HeldAction, asked: Collection[RequestedAction]) -> bool:
    return any(it.version > held.version and _same(it.action, held.action) for it in asked)


def _same(one: ActionRequest, other: ActionRequest) -> bool:
    """Return whether both ask for the same; custom actions are told apart by their data."""
    if one.action is not other.action:
        return False
    return one.action is not ActionName.CUSTOM or one.data == other.data


def in_command_order(held: Iterable[HeldAction]) -> list[HeldAction]:
    """Return held actions in the order in which their commands were applied."""
    return sorted(held, key=lambda it: (it.order_id, it.version))
