"""How an action ends: fired for a contact, held until there is one, then fired or dropped."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Final

from enricher.domain.contact_matching import KnownContact
from enricher.domain.model import (
    ContactLink,
    Decision,
    HeldAction,
    HoldState,
    HoldWindow,
    ReceivedEvent,
    RequestedAction,
    StoredOrder,
)
from order_contracts.derived_ids import action_id
from order_contracts.events import Missing, OrderAction
from order_contracts.job import Action, Enrichment
from order_contracts.order import ActionName, ActionRequest, Order

ACTION_DROPPED: Final = "ActionDropped"


def fire_action(received: ReceivedEvent, contact: KnownContact, enrichment: Enrichment) -> Decision:
    """Return the decision that fires the event's action for *contact*, if the event has one."""
    event, order = received.event, received.event.order
    if event.action is None or order is None:
        return Decision(enrichment)
    fire = order_action(event.job_id, event.action, order, contact)
    return Decision(enrichment, Action.FIRED, fire=fire)


def order_action(
    job_id: str, action: ActionRequest, order: Order, contact: KnownContact
) -> OrderAction:
    """Return the message that the automation trigger is to receive."""
    return OrderAction.model_construct(
        action_id=action_id(job_id),
        job_id=job_id,
        order_id=order.order_id,
        action=action.action,
        language=action.language or order.language or contact.language,
        data=action.data,
        order=order.model_copy(update={"contact_id": contact.contact_id}),
        contact_id=contact.contact_id,
    )


def held_action(
    received: ReceivedEvent, contact_version: int | None, window: HoldWindow
) -> HeldAction | None:
    """
    Return the event's action as it is held; None if the event has no action or made no version.

    Without a *contact_version* it is held for version 0: the next reconciliation drops it.
    """
    event = received.event
    if event.action is None or event.version is None:
        return None
    return HeldAction(
        job_id=event.job_id,
        order_id=event.order_id,
        version=event.version,
        contact_version=contact_version or 0,
        action=event.action,
        accepted_at=received.accepted_at,
        until=received.accepted_at + window.hold_for,
    )


def drop_action(decision: Decision) -> Decision:
    """Return *decision* with its action dropped, and an entry of the log that says so."""
    entry = Missing.model_construct(code=ACTION_DROPPED, reference="")
    return replace(decision, action=Action.DROPPED, log=(*decision.log, entry))


def fail_requested_action(order: Order, code: str) -> Decision:
    """
    Return the decision on an action that was requested by a command of its own, without a contact.

    It is never held: its job fails, which says what the entry ActionDropped would say.
    """
    missing = Missing(code=code, reference=order.contact.match_key_type)
    return Decision(Enrichment.CONTACT_MISSING, Action.DROPPED, log=(missing,))


def held_action_end(
    held: HeldAction,
    stored: StoredOrder | None,
    requested: Collection[RequestedAction],
    now: datetime,
    link: ContactLink | None,
) -> HoldState | None:
    """
    Return how a held action ends now; None if it goes on waiting, or ended before.

    It is dropped if its order was deleted, replaced or cancelled after it, or *requested* the same
    action again, or if its window is over; otherwise it fires once the order has its contact, by
    its current *link*, unless it may have been held for an erased one.
    """
    if not held.waits:
        return None
    if _is_outdated(held, stored) or _is_repeated(held, requested) or held.until <= now:
        return HoldState.DROPPED
    if link is None or link.contact_id is None:
        return None
    return HoldState.DROPPED if link.withholds(held.accepted_at) else HoldState.FIRING


def _is_outdated(held: HeldAction, stored: StoredOrder | None) -> bool:
    if stored is None or stored.contact_version != held.contact_version:
        return True
    return stored.cancelled_since is not None and stored.cancelled_since > held.version


def _is_repeated(held: HeldAction, requested: Collection[RequestedAction]) -> bool:
    return any(it.version > held.version and _is_same(it.action, held.action) for it in requested)


def _is_same(one: ActionRequest, other: ActionRequest) -> bool:
    """Return whether both request the same; custom actions are distinguished by their data."""
    if one.action is not other.action:
        return False
    return one.action is not ActionName.CUSTOM or one.data == other.data
