"""What an event means for its order: the link, what is missing, and what becomes of its action."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from enricher.decision import NOTHING, Decision, Facts, Happened, Held, Link, Stored, Window
from enricher.matching import KnownContact, id_key, lookup_key, matched
from order_contracts.events import EventType, Missing, OrderAction, OrderEnriched
from order_contracts.identity import action_id
from order_contracts.job import Action, Enrichment
from order_contracts.order import Order

ARTICLE_MISSING: Final = "ArticleMissing"
STORE_MISSING: Final = "StoreMissing"
DROPPED: Final = "ActionDropped"
CONNECTED: Final = frozenset({EventType.REGISTERED, EventType.REPLACED})
CHANGED: Final = frozenset({EventType.STATUS_CHANGED, EventType.DELIVERY_CHANGED})
ACTED: Final = CHANGED | {EventType.ACTION_REQUESTED}


def decide(
    happened: Happened, stored: Stored | None, link: Link | None, facts: Facts, window: Window
) -> Decision:
    """
    Return what follows from an event.

    *stored* is the order as it is stored now, at least as new as the event, None if it is gone;
    *link* is its link. A link of the event's own version is a decision that was made before: it
    is kept, whatever the facts say today.
    """
    version = happened.event.version
    match happened.kind:
        case EventType.DELETED:
            return Decision(unlink=version, drop=version)
        case EventType.REGISTERED:
            return _connect(happened, stored, link, facts, window)
        case EventType.REPLACED if version is not None:
            decision = _connect(happened, stored, link, facts, window)
            return replace(decision, drop=version - 1)
        case kind if kind in ACTED and happened.event.action is not None:
            return _act(happened, stored, link, facts, window)
        case _:
            return NOTHING


def keys_of(happened: Happened, link: Link | None) -> Iterator[str]:
    """Yield the keys of the contacts that the decision may need."""
    order = happened.event.order
    if order is not None and happened.kind in CONNECTED | ACTED:
        yield lookup_key(order.contact)
        if link is not None and link.contact_id is not None:
            yield id_key(link.contact_id)


def _connect(
    happened: Happened, stored: Stored | None, link: Link | None, facts: Facts, window: Window
) -> Decision:
    order, version = happened.event.order, happened.event.version
    if order is None or version is None or not _alive(happened, stored):
        return _too_late(happened, stored, facts)
    if link is not None and link.contact_version == version:
        return _connected(happened, link, facts, window)
    if stored is None or stored.contact_version != version:
        return _too_late(happened, stored, facts)
    fresh = _linked(order, version, stored.registered_at, facts)
    return replace(_connected(happened, fresh, facts, window), link=fresh)


def _linked(order: Order, version: int, registered_at: datetime, facts: Facts) -> Link:
    found = matched(order.contact, facts.contacts)
    missing: list[Missing] = []
    waits_for: list[str] = []
    if isinstance(found, str):
        # The type of the key, never the key: that may name a person.
        missing.append(Missing(code=found, reference=order.contact.match_key_type))
        waits_for.append(lookup_key(order.contact))
    for sku in dict.fromkeys(item.sku for item in order.line_items.items):
        if sku not in facts.articles:
            missing.append(Missing(code=ARTICLE_MISSING, reference=sku))
            waits_for.append(f"Article:{sku}")
    store = order.external_store_id
    if store is not None and store not in facts.stores:
        missing.append(Missing(code=STORE_MISSING, reference=store))
        waits_for.append(f"Store:{store}")
    contact_id = found.contact_id if isinstance(found, KnownContact) else None
    return Link(
        order.order_id, version, contact_id, registered_at, tuple(missing), tuple(waits_for)
    )


def _connected(happened: Happened, link: Link, facts: Facts, window: Window) -> Decision:
    acted = _with_contact(happened, link, facts, window)
    enriched = OrderEnriched.model_construct(
        job_id=happened.event.job_id,
        order_id=happened.event.order_id,
        version=link.contact_version,
        contact_id=link.contact_id,
        missing=link.missing,
    )
    return replace(acted, enriched=enriched, log=link.missing + acted.log)


def _with_contact(happened: Happened, link: Link, facts: Facts, window: Window) -> Decision:
    """Return what becomes of the action, given the link of the order as it is."""
    if link.contact_id is not None:
        known = next(iter(facts.contacts.get(id_key(link.contact_id), ())), None)
        contact = known or KnownContact(link.contact_id)
        return _fire(happened, contact, Enrichment.DONE)
    missing = Decision(enrichment=Enrichment.CONTACT_MISSING)
    action = happened.event.action
    if action is None:
        return missing
    until = happened.accepted_at + window.hold_for
    if happened.kind is EventType.ACTION_REQUESTED:
        return replace(missing, action=Action.DROPPED)  # its job fails: that says it all
    if until <= window.now:
        return _dropped(missing)
    held = Held(
        job_id=happened.event.job_id,
        order_id=happened.event.order_id,
        contact_version=link.contact_version,
        action=action,
        accepted_at=happened.accepted_at,
        until=until,
    )
    return replace(missing, action=Action.HELD, hold=held)


def _act(
    happened: Happened, stored: Stored | None, link: Link | None, facts: Facts, window: Window
) -> Decision:
    current = (
        link is not None and stored is not None and link.contact_version == stored.contact_version
    )
    if link is None or not current or not _alive(happened, stored):
        return _too_late(happened, stored, facts)
    decision = _with_contact(happened, link, facts, window)
    contact = tuple(missing for missing in link.missing if missing.code.startswith("Contact"))
    return replace(decision, log=contact + decision.log)


def _too_late(happened: Happened, stored: Stored | None, facts: Facts) -> Decision:
    """
    The order moved on before this event was looked at.

    Its action fires all the same, unless the order was deleted or its contact isn't known.
    """
    superseded = Decision(enrichment=Enrichment.SUPERSEDED)
    order = happened.event.order
    if order is None or not _alive(happened, stored):
        return _dropped(superseded) if happened.event.action else superseded
    found = matched(order.contact, facts.contacts)
    if isinstance(found, KnownContact):
        return _fire(happened, found, Enrichment.SUPERSEDED)
    if happened.kind is EventType.ACTION_REQUESTED:
        lacking = Missing(code=found, reference=order.contact.match_key_type)
        return Decision(Enrichment.CONTACT_MISSING, Action.DROPPED, log=(lacking,))
    return _dropped(superseded) if happened.event.action else superseded


def _alive(happened: Happened, stored: Stored | None) -> bool:
    """
    Return whether the order that the command met still exists, in the life it had then.

    Told by its registration: the announced order itself may be of a later life, and another
    person's, where all three commands met in one batch.
    """
    return stored is not None and stored.registered_by == happened.event.registration


def _dropped(decision: Decision) -> Decision:
    dropped = Missing.model_construct(code=DROPPED, reference="")
    return replace(decision, action=Action.DROPPED, log=(*decision.log, dropped))


def _fire(happened: Happened, contact: KnownContact, state: Enrichment) -> Decision:
    event, order = happened.event, happened.event.order
    if event.action is None or order is None:
        return Decision(enrichment=state)
    action = OrderAction.model_construct(
        action_id=action_id(event.job_id),
        job_id=event.job_id,
        order_id=event.order_id,
        action=event.action.action,
        language=event.action.language or order.language or contact.language,
        data=event.action.data,
        order=order.model_copy(update={"contact_id": contact.contact_id}),
        contact_id=contact.contact_id,
    )
    return Decision(enrichment=state, action=Action.FIRED, fire=action)
