"""The decision on one event: the order's link, what it lacks, and the end of its action."""

from __future__ import annotations

from dataclasses import replace

from enricher.domain.action_ends import drop_action, fail_requested_action, fire_action, held_action
from enricher.domain.contact_matching import KnownContact
from enricher.domain.linking import CONTACT_CODES, ReferenceFacts, current_link, new_link
from enricher.domain.missing_entries import log_missing, with_named_articles
from enricher.domain.model import (
    ACTING,
    NO_EFFECT,
    ContactLink,
    Decision,
    HoldWindow,
    ReceivedEvent,
    StoredOrder,
)
from order_contracts.events import EventType
from order_contracts.integration_log import DropReason
from order_contracts.job import Action, Enrichment


def decide(
    received: ReceivedEvent,
    stored: StoredOrder | None,
    link: ContactLink | None,
    facts: ReferenceFacts,
    window: HoldWindow,
) -> Decision:
    """
    Return what follows from an event.

    *stored* is the order as it is stored now, at least as new as the event, None if it was deleted;
    *link* is its link. A link of the event's own version is a decision that was made before: it
    is kept, whatever today's facts are.
    """
    match received.kind:
        case EventType.REGISTERED | EventType.REPLACED:
            return _decide_link(received, stored, link, facts, window)
        case kind if kind in ACTING and received.event.action is not None:
            return _decide_action(received, stored, link, facts, window)
        case _:
            return NO_EFFECT


def _decide_link(
    received: ReceivedEvent,
    stored: StoredOrder | None,
    link: ContactLink | None,
    facts: ReferenceFacts,
    window: HoldWindow,
) -> Decision:
    order, version = received.event.order, received.event.version
    if order is None or version is None or not _is_still_registered(received, stored):
        return _superseded(received, stored, link, facts)
    if link is not None and link.contact_version == version:
        ended = _end_action(received, link, facts, window)
        return replace(log_missing(ended, link), enriched=link)
    if stored is None or stored.contact_version != version:
        return _superseded(received, stored, link, facts)
    made = with_named_articles(new_link(order, received.event.job_id, stored, link, facts))
    if received.traceparent is not None:
        made = replace(made, traceparent=received.traceparent)
    ended = _end_action(received, made, facts, window)
    return replace(log_missing(ended, made), enriched=made, link=made)


def _decide_action(
    received: ReceivedEvent,
    stored: StoredOrder | None,
    link: ContactLink | None,
    facts: ReferenceFacts,
    window: HoldWindow,
) -> Decision:
    current = current_link(stored, link)
    if current is None or not _is_still_registered(received, stored):
        return _superseded(received, stored, link, facts)
    decision = _end_action(received, current, facts, window)
    contact = tuple(missing for missing in current.missing if missing.code in CONTACT_CODES)
    return replace(decision, log=contact + decision.log)


def _end_action(
    received: ReceivedEvent, link: ContactLink, facts: ReferenceFacts, window: HoldWindow
) -> Decision:
    """Return the enrichment and the end of the action, by the order's current link."""
    if link.contact_id is not None and not link.withholds(received.accepted_at):
        return fire_action(received, facts.contact(link.contact_id), Enrichment.DONE)
    if link.contact_id is not None:
        return _withheld(received, Enrichment.DONE, DropReason.CONTACT_ERASED)
    decision = Decision(Enrichment.CONTACT_MISSING)
    if received.event.action is None:
        return decision
    if received.kind is EventType.ACTION_REQUESTED or received.event.version is None:
        return replace(decision, action=Action.DROPPED)  # its job fails: no entry is needed
    if received.accepted_at + window.hold_for <= window.now:
        return drop_action(decision, DropReason.HOLD_WINDOW_OVER)
    hold = held_action(received, link.contact_version, window)
    return replace(decision, action=Action.HELD, hold=hold)


def _superseded(
    received: ReceivedEvent,
    stored: StoredOrder | None,
    link: ContactLink | None,
    facts: ReferenceFacts,
) -> Decision:
    """
    Return the decision on an event whose order was changed before the event was handled.

    Its action still fires, unless the order was deleted or has no contact, or may have been meant
    for an erased one.
    """
    order = received.event.order
    if order is None or not _is_still_registered(received, stored):
        return _withheld(received, Enrichment.SUPERSEDED, DropReason.ORDER_DELETED)
    contact = facts.contact_of(order.contact)
    if isinstance(contact, KnownContact):
        if stored is not None and _is_withheld(received, contact, stored, link, facts):
            return _withheld(received, Enrichment.SUPERSEDED, DropReason.CONTACT_ERASED)
        return fire_action(received, contact, Enrichment.SUPERSEDED)
    if received.kind is EventType.ACTION_REQUESTED:
        return fail_requested_action(order, contact)
    return _withheld(received, Enrichment.SUPERSEDED, DropReason.ORDER_REPLACED)


def _withheld(received: ReceivedEvent, enrichment: Enrichment, reason: DropReason) -> Decision:
    """Return the decision that fires nothing; it drops the event's action, if it has one."""
    decision = Decision(enrichment)
    return drop_action(decision, reason) if received.event.action else decision


def _is_withheld(
    received: ReceivedEvent,
    contact: KnownContact,
    stored: StoredOrder,
    link: ContactLink | None,
    facts: ReferenceFacts,
) -> bool:
    """Return whether an action may have been meant for an erased contact with the same key."""
    order = received.event.order
    if link is not None and link.contact_id == contact.contact_id:
        return link.withholds(received.accepted_at)
    erasure = order and facts.erasures.get(facts.keys.lookup_key(order.contact))
    return bool(erasure and erasure.covers(stored.registered_at, received.accepted_at))


def _is_still_registered(received: ReceivedEvent, stored: StoredOrder | None) -> bool:
    """
    Return whether the order that the command was applied to still exists.

    It does if the stored order was registered by the same job. The order within the event may be
    a later registration of the orderId, and another person's, if its deletion and the second
    registration were announced in the same batch. A commitment to fire was made while it existed.
    """
    if received.commitment is not None and received.commitment.end is Action.FIRED:
        return True
    return stored is not None and stored.registered_by == received.event.registration
