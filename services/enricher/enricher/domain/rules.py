"""What an event means for its order: the link, what is missing, and what becomes of its action."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from enricher.domain.contact_matching import AMBIGUOUS, MISSING, ContactKeys, KnownContact
from enricher.domain.model import (
    NO_EFFECT,
    ContactLink,
    Decision,
    HeldAction,
    HoldWindow,
    ReceivedEvent,
    ReferenceFacts,
    StoredOrder,
)
from order_contracts.events import EventType, Missing, OrderAction, OrderEnriched
from order_contracts.identity import action_id
from order_contracts.job import Action, Enrichment
from order_contracts.order import ActionRequest, Order
from order_runtime.documents.erasures import id_key

ARTICLE_MISSING: Final = "ArticleMissing"
STORE_MISSING: Final = "StoreMissing"
DROPPED: Final = "ActionDropped"
CONTACT_CODES: Final = frozenset({MISSING, AMBIGUOUS})
MISSING_CODES: Final = CONTACT_CODES | {ARTICLE_MISSING, STORE_MISSING}
"""What an order may lack; each stands in the log while the order lacks it."""
CONNECTED: Final = frozenset({EventType.REGISTERED, EventType.REPLACED})
CHANGED: Final = frozenset({EventType.STATUS_CHANGED, EventType.DELIVERY_CHANGED})
ACTED: Final = CHANGED | {EventType.ACTION_REQUESTED}


def article_key(sku: str) -> str:
    return f"Article:{sku}"


def store_key(external_store_id: str) -> str:
    return f"Store:{external_store_id}"


def decide(
    received: ReceivedEvent,
    stored: StoredOrder | None,
    link: ContactLink | None,
    facts: ReferenceFacts,
    window: HoldWindow,
) -> Decision:
    """
    Return what follows from an event.

    *stored* is the order as it is stored now, at least as new as the event, None if it is gone;
    *link* is its link. A link of the event's own version is a decision that was made before: it
    is kept, whatever the facts say today.
    """
    match received.kind:
        case EventType.REGISTERED | EventType.REPLACED:
            return _connect(received, stored, link, facts, window)
        case kind if kind in ACTED and received.event.action is not None:
            return _act(received, stored, link, facts, window)
        case _:
            return NO_EFFECT


def keys_of(received: ReceivedEvent, link: ContactLink | None, keys: ContactKeys) -> Iterator[str]:
    """Yield the keys of the contacts that the decision may need."""
    order = received.event.order
    if order is not None and received.kind in CONNECTED | ACTED:
        yield keys.wanted(order.contact)
        if link is not None and link.contact_id is not None:
            yield id_key(link.contact_id)


def _connect(
    received: ReceivedEvent,
    stored: StoredOrder | None,
    link: ContactLink | None,
    facts: ReferenceFacts,
    window: HoldWindow,
) -> Decision:
    order, version = received.event.order, received.event.version
    if order is None or version is None or not _alive(received, stored):
        return _too_late(received, stored, facts)
    if link is not None and link.contact_version == version:
        return _connected(received, link, facts, window)
    if stored is None or stored.contact_version != version:
        return _too_late(received, stored, facts)
    fresh = _linked(order, received, version, stored.registered_at, facts)
    return replace(_connected(received, fresh, facts, window), link=fresh)


def _linked(
    order: Order,
    received: ReceivedEvent,
    version: int,
    registered_at: datetime,
    facts: ReferenceFacts,
) -> ContactLink:
    found = facts.contact_of(order.contact)
    missing: list[Missing] = []
    waits_for: list[str] = []
    if isinstance(found, str):
        # The type of the key, never the key: that may name a person.
        missing.append(Missing(code=found, reference=order.contact.match_key_type))
        waits_for.append(facts.keys.wanted(order.contact))
    for sku in dict.fromkeys(item.sku for item in order.line_items.items):
        if sku not in facts.articles:
            missing.append(Missing(code=ARTICLE_MISSING, reference=sku))
            waits_for.append(article_key(sku))
    store = order.external_store_id
    if store is not None and store not in facts.stores:
        missing.append(Missing(code=STORE_MISSING, reference=store))
        waits_for.append(store_key(store))
    contact_id = found.contact_id if isinstance(found, KnownContact) else None
    return ContactLink(
        order_id=order.order_id,
        job_id=received.event.job_id,
        contact_version=version,
        contact_id=contact_id,
        registered_at=registered_at,
        missing=tuple(missing),
        waits_for=tuple(waits_for),
    )


def _connected(
    received: ReceivedEvent, link: ContactLink, facts: ReferenceFacts, window: HoldWindow
) -> Decision:
    acted = _with_contact(received, link, facts, window)
    return replace(acted, enriched=enriched(link), log=link.missing + acted.log)


def _with_contact(
    received: ReceivedEvent, link: ContactLink, facts: ReferenceFacts, window: HoldWindow
) -> Decision:
    """Return what becomes of the action, given the link of the order as it is."""
    if link.contact_id is not None:
        return fired(received, facts.contact(link.contact_id), Enrichment.DONE)
    missing = Decision(enrichment=Enrichment.CONTACT_MISSING)
    action, version = received.event.action, received.event.version
    if action is None:
        return missing
    until = received.accepted_at + window.hold_for
    if received.kind is EventType.ACTION_REQUESTED or version is None:
        return replace(missing, action=Action.DROPPED)  # its job fails: that says it all
    if until <= window.now:
        return dropped(missing)
    return replace(
        missing, action=Action.HELD, hold=hold_of(received, link.contact_version, window)
    )


def hold_of(
    received: ReceivedEvent, contact_version: int | None, window: HoldWindow
) -> HeldAction | None:
    """Return how its action is held; of no version that there is, whoever looks next drops it."""
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


def _act(
    received: ReceivedEvent,
    stored: StoredOrder | None,
    link: ContactLink | None,
    facts: ReferenceFacts,
    window: HoldWindow,
) -> Decision:
    current = (
        link is not None and stored is not None and link.contact_version == stored.contact_version
    )
    if link is None or not current or not _alive(received, stored):
        return _too_late(received, stored, facts)
    decision = _with_contact(received, link, facts, window)
    contact = tuple(missing for missing in link.missing if missing.code in CONTACT_CODES)
    return replace(decision, log=contact + decision.log)


def _too_late(
    received: ReceivedEvent, stored: StoredOrder | None, facts: ReferenceFacts
) -> Decision:
    """
    The order moved on before this event was looked at.

    Its action fires all the same, unless the order was deleted or its contact isn't known.
    """
    superseded = Decision(enrichment=Enrichment.SUPERSEDED)
    order = received.event.order
    if order is None or not _alive(received, stored):
        return dropped(superseded) if received.event.action else superseded
    found = facts.contact_of(order.contact)
    if isinstance(found, KnownContact):
        return fired(received, found, Enrichment.SUPERSEDED)
    if received.kind is EventType.ACTION_REQUESTED:
        return unknown_contact(order, found)
    return dropped(superseded) if received.event.action else superseded


def unknown_contact(order: Order, code: str) -> Decision:
    """Return what becomes of an action that was triggered while its contact isn't known."""
    lacking = Missing(code=code, reference=order.contact.match_key_type)
    return Decision(Enrichment.CONTACT_MISSING, Action.DROPPED, log=(lacking,))


def _alive(received: ReceivedEvent, stored: StoredOrder | None) -> bool:
    """
    Return whether the order that the command met still exists, in the life it had then.

    Told by its registration: the announced order itself may be of a later life, and another
    person's, where all three commands met in one batch. What was agreed on to be fired was so
    while it lived.
    """
    if received.commitment is not None and received.commitment.end is Action.FIRED:
        return True
    return stored is not None and stored.registered_by == received.event.registration


def dropped(decision: Decision) -> Decision:
    said = Missing.model_construct(code=DROPPED, reference="")
    return replace(decision, action=Action.DROPPED, log=(*decision.log, said))


def fired(received: ReceivedEvent, contact: KnownContact, state: Enrichment) -> Decision:
    event, order = received.event, received.event.order
    if event.action is None or order is None:
        return Decision(enrichment=state)
    fire = order_action(event.job_id, event.action, order, contact)
    return Decision(enrichment=state, action=Action.FIRED, fire=fire)


def order_action(
    job_id: str, action: ActionRequest, order: Order, contact: KnownContact
) -> OrderAction:
    """Return what the automation trigger is to receive."""
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


def enriched(link: ContactLink) -> OrderEnriched:
    """Return what is told of a link."""
    return OrderEnriched.model_construct(
        job_id=link.job_id,
        order_id=link.order_id,
        version=link.contact_version,
        contact_id=link.contact_id,
        missing=link.missing,
    )
