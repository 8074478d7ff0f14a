"""Decisions that keep to a commitment: the end of an action that another worker recorded first."""

from __future__ import annotations

from dataclasses import replace

from enricher.domain.action_ends import (
    drop_action,
    fail_requested_action,
    fire_action,
    held_action,
)
from enricher.domain.contact_matching import CONTACT_MISSING, KnownContact
from enricher.domain.linking import ReferenceFacts
from enricher.domain.model import (
    LINKING,
    ContactLink,
    Decision,
    HoldWindow,
    ReceivedEvent,
)
from order_contracts.events import EventType
from order_contracts.integration_log import DropReason
from order_contracts.job import Action, Enrichment


def apply_commitment(
    received: ReceivedEvent,
    decision: Decision,
    link: ContactLink | None,
    facts: ReferenceFacts,
    window: HoldWindow,
) -> Decision:
    """
    Return *decision* with the end of the action that the event's job is committed to, if any.

    A worker that resumes after a pause, or takes over from one that died, may decide otherwise
    than the first: by now the order may be deleted, or its contact created or given another key.
    """
    commitment = received.commitment
    if commitment is None or decision.commitment == commitment:
        return decision
    without_action = replace(decision, hold=None, fire=None, dropped=None)
    match commitment.end:
        case Action.HELD:
            hold = held_action(received, _contact_version(received, link), window)
            return replace(without_action, action=Action.HELD, hold=hold)
        case Action.FIRED if commitment.contact_id is not None and received.event.order is not None:
            return _fired_as_committed(
                received, without_action, facts.contact(commitment.contact_id)
            )
        case Action.DROPPED:
            reason = commitment.reason or decision.dropped or DropReason.ORDER_CHANGED
            return _dropped_as_committed(received, without_action, reason)
        case _:
            return decision


def _fired_as_committed(
    received: ReceivedEvent, decision: Decision, contact: KnownContact
) -> Decision:
    action_only = fire_action(received, contact, Enrichment.SUPERSEDED)
    if received.kind is EventType.ACTION_REQUESTED:
        return action_only
    return replace(decision, action=action_only.action, fire=action_only.fire)


def _dropped_as_committed(
    received: ReceivedEvent, decision: Decision, reason: DropReason
) -> Decision:
    order = received.event.order
    if received.kind is EventType.ACTION_REQUESTED and order is not None:
        # While its order exists, a missing contact is the only reason to drop a requested action.
        return fail_requested_action(order, CONTACT_MISSING)
    return drop_action(decision, reason)


def _contact_version(received: ReceivedEvent, link: ContactLink | None) -> int | None:
    """Return the version of the registration or replacement that the event's command changed."""
    version = received.event.version
    if received.kind in LINKING or version is None:
        return version
    return link.contact_version if link is not None and link.contact_version <= version else None
