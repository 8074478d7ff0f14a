"""Which orders an erasure takes: the contact's own, and those that wait for a key of nobody's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from enricher.domain.contact_matching import KnownContact
from enricher.domain.linking import ReferenceFacts, current_link, is_of_same_contact
from enricher.domain.model import (
    ENRICHABLE,
    ContactLink,
    OrderLifetime,
    ReceivedEvent,
    StoredOrder,
)
from order_runtime.documents.erasures import Erasure, id_key


@dataclass(frozen=True, slots=True)
class DeletedContact:
    """A contact that was deleted, with the keys it had."""

    contact_id: str
    keys: frozenset[str]
    at: datetime
    """When its tombstone was published."""


@dataclass(frozen=True, slots=True)
class ContactClaim:
    """An order with a contact that it has or would get."""

    lifetime: OrderLifetime
    contact_id: str
    stored: StoredOrder


def orders_of_events(
    events: Iterable[ReceivedEvent], orders: Mapping[str, StoredOrder]
) -> dict[str, StoredOrder]:
    """Return the orders of *events*, by id, that were not deleted since."""
    found: dict[str, StoredOrder] = {}
    for it in events:
        stored = orders.get(it.event.order_id)
        if stored is None or it.kind not in ENRICHABLE:
            continue
        if stored.registered_by == it.event.registration:
            found[it.event.order_id] = stored
    return found


def contact_claims(
    orders: Mapping[str, StoredOrder], links: Mapping[str, ContactLink], facts: ReferenceFacts
) -> list[ContactClaim]:
    """Return a claim for each contact of each order; *facts* as in `covering_erasure`."""
    return [
        ContactClaim(lifetime_of(order_id, stored), contact_id, stored)
        for order_id, stored in orders.items()
        for contact_id in _contacts_of(stored, links.get(order_id), facts)
    ]


def erased_orders(
    orders: Mapping[str, StoredOrder], links: Mapping[str, ContactLink], facts: ReferenceFacts
) -> dict[OrderLifetime, datetime]:
    """Return those of *orders* that an erasure takes, with its time."""
    return {
        lifetime_of(order_id, stored): erasure.at
        for order_id, stored in orders.items()
        if (erasure := covering_erasure(stored, links.get(order_id), facts)) is not None
    }


def covering_erasure(
    stored: StoredOrder, link: ContactLink | None, facts: ReferenceFacts
) -> Erasure | None:
    """
    Return the erasure that takes an order: of its contact, or of the key that it waits for.

    A key that a living contact carries takes nothing: the order waits for that contact. *facts*
    must cover the stored order's contact key and the contact of *link*.
    """
    keys = [id_key(it) for it in _contacts_of(stored, link, facts)]
    if not _is_linked(stored, link):
        carriers = facts.carriers_of(stored.contact)
        if not carriers or all(it.awaited for it in carriers):
            keys.append(facts.awaited_key(stored.contact))
    found = (facts.erasures.get(key) for key in keys)
    return next((it for it in found if it is not None and is_covered(stored, it)), None)


def erasure_outlived(
    stored: StoredOrder, link: ContactLink | None, facts: ReferenceFacts
) -> str | None:
    """Return the key that an order waits for only because a living contact carries it too."""
    if _is_linked(stored, link) or not facts.carriers_of(stored.contact):
        return None
    key = facts.keys.lookup_key(stored.contact)
    erasure = facts.erasures.get(key)
    return key if erasure is not None and is_covered(stored, erasure) else None


def covered_lifetimes(
    claims: Iterable[ContactClaim], erasures: Mapping[str, Erasure]
) -> dict[OrderLifetime, datetime]:
    """Return the orders that belong to an erased contact, with the time of the erasure."""
    return {
        claim.lifetime: erasure.at
        for claim in claims
        if (erasure := erasures.get(id_key(claim.contact_id))) and is_covered(claim.stored, erasure)
    }


def lifetimes_of(
    contact_id: str,
    erasure: Erasure,
    orders: Mapping[str, StoredOrder],
    links: Mapping[str, ContactLink],
) -> dict[OrderLifetime, datetime]:
    """Return those of *orders* that are linked to an erased contact."""
    return {
        lifetime_of(order_id, stored): erasure.at
        for order_id, stored in orders.items()
        if (link := links.get(order_id)) is not None
        and link.contact_id == contact_id
        and is_of_same_contact(stored, link)
        and is_covered(stored, erasure)
    }


def is_covered(stored: StoredOrder, erasure: Erasure) -> bool:
    """Return whether an order that names an erased contact named it before the erasure."""
    return erasure.covers(stored.registered_at, stored.contact_since_at)


def lifetime_of(order_id: str, stored: StoredOrder) -> OrderLifetime:
    return OrderLifetime(
        order_id, stored.registered_by, stored.contact_since, stored.contact_version
    )


def _contacts_of(
    stored: StoredOrder, link: ContactLink | None, facts: ReferenceFacts
) -> Iterator[str]:
    """Yield the contact that an order has, and the one that its next link would name."""
    if link is not None and link.contact_id is not None and is_of_same_contact(stored, link):
        yield link.contact_id
    contact = facts.contact_of(stored.contact)
    if isinstance(contact, KnownContact) and not _is_linked(stored, link):
        yield contact.contact_id


def _is_linked(stored: StoredOrder, link: ContactLink | None) -> bool:
    current = current_link(stored, link)
    return current is not None and current.contact_id is not None
