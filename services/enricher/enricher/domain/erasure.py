"""Which orders belong to an erased contact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from enricher.domain.contact_matching import KnownContact
from enricher.domain.linking import ReferenceFacts, current_link
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
class ContactKeyClaim:
    """The key, as a hash, by which an order names its contact."""

    lifetime: OrderLifetime
    key_hash: str
    stored: StoredOrder


def contact_key_claims(
    events: Iterable[ReceivedEvent],
    orders: Mapping[str, StoredOrder],
    links: Mapping[str, ContactLink],
    facts: ReferenceFacts,
) -> list[ContactKeyClaim]:
    """Return a claim for each event whose order still exists; *facts* as in `contact_key_of`."""
    claims: list[ContactKeyClaim] = []
    for it in events:
        order_id = it.event.order_id
        stored = orders.get(order_id)
        if stored is None or it.kind not in ENRICHABLE:
            continue
        if stored.registered_by == it.event.registration:
            key = facts.keys.hashed(contact_key_of(stored, links.get(order_id), facts))
            claims.append(ContactKeyClaim(lifetime_of(order_id, stored), key, stored))
    return claims


def contact_key_of(stored: StoredOrder, link: ContactLink | None, facts: ReferenceFacts) -> str:
    """
    Return the id key of the contact that an order has or would get, else the key it waits for.

    *facts* must cover the stored order's contact key, which may differ from that of its event.
    """
    current = current_link(stored, link)
    if current is not None and current.contact_id is not None:
        return id_key(current.contact_id)
    contact = facts.contact_of(stored.contact)
    if isinstance(contact, KnownContact):
        return id_key(contact.contact_id)
    return facts.keys.lookup_key(stored.contact)


def covered_lifetimes(
    claims: Iterable[ContactKeyClaim], erasures: Mapping[str, Erasure]
) -> dict[OrderLifetime, datetime]:
    """Return the orders that belong to an erased contact, with the time of the erasure."""
    return {
        claim.lifetime: erasure.at
        for claim in claims
        if (erasure := erasures.get(claim.key_hash)) and is_covered(claim.stored, erasure)
    }


def lifetimes_of(
    deleted: DeletedContact,
    erasure: Erasure,
    orders: Mapping[str, StoredOrder],
    links: Mapping[str, ContactLink],
    facts: ReferenceFacts,
) -> dict[OrderLifetime, datetime]:
    """Return those of *orders* that belong to *deleted* and have a current link."""
    return {
        lifetime_of(order_id, stored): erasure.at
        for order_id, stored in orders.items()
        if current_link(stored, links.get(order_id))
        and contact_key_of(stored, links.get(order_id), facts) in deleted.keys
        and is_covered(stored, erasure)
    }


def is_covered(stored: StoredOrder, erasure: Erasure) -> bool:
    """Return whether an order that names an erased contact named it before the erasure."""
    return erasure.covers(stored.registered_at, stored.contact_since_at)


def lifetime_of(order_id: str, stored: StoredOrder) -> OrderLifetime:
    return OrderLifetime(
        order_id, stored.registered_by, stored.contact_since, stored.contact_version
    )
