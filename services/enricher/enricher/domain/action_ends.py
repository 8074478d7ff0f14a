"""How an action ends: fired for a contact, held until there is one, then fired or dropped."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, cast

from enricher.domain.announced import AnnouncedOrder
from enricher.domain.contact_matching import KnownContact
from enricher.domain.fired_action import FiredAction
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
from order_contracts.events import Missing
from order_contracts.integration_log import DropReason
from order_contracts.job import Action, Enrichment
from order_contracts.order import ActionName, ActionRequest

MAX_HELD: Final = 100
"""
Of the actions that the commands of an order embed, the newest so many are held for its contact.

Whoever asks for one more has the oldest dropped: by what was asked for, whatever became of it.
"""


@dataclass(frozen=True, slots=True)
class LastRequests:
    """When an order was last asked for each of its actions, by the versions of its commands."""

    versions: Mapping[Hashable, int]
    """By what distinguishes an action from another one."""
    oldest: int
    """The version of the oldest one that may be held; 0 while there are fewer than MAX_HELD."""

    def superseding(self, held: HeldAction) -> DropReason | None:
        """Return which requests supersede *held*: the same, or MAX_HELD others; None if none do."""
        if held.version < self.versions.get(_identity(held.action), 0):
            return DropReason.REQUESTED_AGAIN
        return DropReason.TOO_MANY_HELD if held.version < self.oldest else None


def last_requests(requested: Iterable[RequestedAction]) -> LastRequests:
    """Return the last of the actions that an order *requested*; the MAX_HELD newest are enough."""
    newest = sorted(requested, key=lambda it: it.version, reverse=True)[:MAX_HELD]
    versions: dict[Hashable, int] = {}
    for it in newest:
        versions.setdefault(_identity(it.action), it.version)
    return LastRequests(versions, newest[-1].version if len(newest) == MAX_HELD else 0)


def fire_action(received: ReceivedEvent, contact: KnownContact, enrichment: Enrichment) -> Decision:
    """Return the decision that fires the event's action for *contact*, if the event has one."""
    event, order = received.event, received.event.order
    if event.action is None or order is None:
        return Decision(enrichment)
    fire = order_action(event.job_id, event.action, order, contact)
    return Decision(enrichment, Action.FIRED, fire=fire)


def order_action(
    job_id: str, action: ActionRequest, order: AnnouncedOrder, contact: KnownContact
) -> FiredAction:
    """Return the message that the automation trigger is to receive."""
    return FiredAction(
        action_id=action_id(job_id),
        job_id=job_id,
        order_id=order.order_id,
        action=action.action,
        language=action.language or order.language or contact.language,
        data=action.data,
        order=order.text_with_contact(contact.contact_id),
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
        traceparent=received.traceparent,
    )


def drop_action(decision: Decision, reason: DropReason) -> Decision:
    """Return *decision* with its action dropped, and why: the log will say so."""
    return replace(decision, action=Action.DROPPED, dropped=reason)


def fail_requested_action(order: AnnouncedOrder, code: str) -> Decision:
    """
    Return the decision on an action that was requested by a command of its own, without a contact.

    It is never held: its job fails, which says what the entry ActionDropped would say.
    """
    missing = Missing(code=code, reference=order.contact.match_key_type)
    return Decision(Enrichment.CONTACT_MISSING, Action.DROPPED, log=(missing,))


def ended_action(
    held: HeldAction,
    stored: StoredOrder | None,
    requested: LastRequests,
    now: datetime,
    link: ContactLink | None,
) -> HeldAction | None:
    """
    Return a held action as it ends now; None if it goes on waiting, or ended before.

    It is dropped if its order was deleted, replaced or cancelled after it, or *requested* the same
    action again, or too many others, or if its window is over; otherwise it fires once the order
    has its contact, by its current *link*, unless it may have been held for an erased one.
    """
    if not held.waits:
        return None
    reason = _outdated(held, stored) or requested.superseding(held)
    if reason is None and held.until <= now:
        reason = DropReason.HOLD_WINDOW_OVER
    if reason is None and (link is None or link.contact_id is None):
        return None
    if reason is None and link is not None and link.withholds(held.accepted_at):
        reason = DropReason.CONTACT_ERASED
    state = HoldState.FIRING if reason is None else HoldState.DROPPED
    return replace(held, state=state, reason=reason)


def _outdated(held: HeldAction, stored: StoredOrder | None) -> DropReason | None:
    if stored is None:
        return DropReason.ORDER_DELETED
    if stored.contact_version != held.contact_version:
        return DropReason.ORDER_REPLACED
    cancelled = stored.cancelled_since is not None and stored.cancelled_since > held.version
    return DropReason.ORDER_CANCELLED if cancelled else None


def _identity(action: ActionRequest) -> Hashable:
    """Return what two requests for the same have in common; of custom actions that is the data."""
    return (action.action, _frozen(action.data) if action.action is ActionName.CUSTOM else None)


def _frozen(value: Any) -> Hashable:
    """Return a hashable value that equals that of another JSON value where the two are equal."""
    if isinstance(value, Mapping):
        return frozenset((key, _frozen(it)) for key, it in value.items())
    if isinstance(value, list | tuple):
        return tuple(_frozen(it) for it in value)
    return cast("Hashable", value)
