"""Links: made when an order is registered or replaced, healed when missing references arrive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from enricher.domain.announced import AnnouncedOrder
from enricher.domain.contact_matching import (
    CONTACT_AMBIGUOUS,
    CONTACT_MISSING,
    Candidates,
    ContactKeys,
    KnownContact,
    match_contact,
)
from enricher.domain.model import ContactLink, StoredOrder
from order_contracts.events import Missing
from order_contracts.order import ContactKey
from order_runtime.documents.erasures import Erasure, id_key

ARTICLE_MISSING: Final = "ArticleMissing"
STORE_MISSING: Final = "StoreMissing"
CONTACT_CODES: Final = frozenset({CONTACT_MISSING, CONTACT_AMBIGUOUS})
MISSING_CODES: Final = CONTACT_CODES | {ARTICLE_MISSING, STORE_MISSING}
"""What an order may lack; an entry of the log stays open for as long as the order lacks it."""


@dataclass(frozen=True, slots=True)
class ReferenceKeys:
    """The references that are to be looked up: contact keys, skus and store ids."""

    contacts: frozenset[str] = frozenset()
    articles: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ReferenceFacts:
    """The contacts, articles and stores that exist, of those that were looked up."""

    contacts: Candidates
    articles: frozenset[str]
    stores: frozenset[str]
    keys: ContactKeys
    erasures: Mapping[str, Erasure] = field(default_factory=dict)
    """The erasures of these contacts, by key, of former carriers of a key too."""

    def carriers_of(self, order: ContactKey) -> Sequence[KnownContact]:
        """Return the living contacts that carry an order's key, of whatever type."""
        return self.contacts.get(self.keys.lookup_key(order), ())

    def contact_of(self, order: ContactKey) -> KnownContact | str:
        """Return the one contact that an order's key matches, else the code of the reason."""
        return match_contact(order, self.carriers_of(order))

    def contact(self, contact_id: str) -> KnownContact:
        """Return a contact, or the one it was merged into; without a language if it was deleted."""
        found = (it for it in self.contacts.get(id_key(contact_id), ()) if it.contact_id)
        return next(found, KnownContact(contact_id))

    def awaited_key(self, order: ContactKey) -> str:
        """Return the key that an order without a contact waits for."""
        found = [it.awaited for it in self.carriers_of(order)]
        return survivor_key(found[0]) if found and found[0] else self.keys.lookup_key(order)


def survivor_key(id_hash: str) -> str:
    """Return the key that orders wait for whose contact was merged into one that is not known."""
    return f"Survivor:{id_hash}"


def is_survivor_key(key: str) -> bool:
    return key.startswith(survivor_key(""))


def article_key(sku: str) -> str:
    return f"Article:{sku}"


def store_key(external_store_id: str) -> str:
    return f"Store:{external_store_id}"


def new_link(
    order: AnnouncedOrder,
    job_id: str,
    stored: StoredOrder,
    earlier: ContactLink | None,
    facts: ReferenceFacts,
) -> ContactLink:
    """
    Return the link of an order that was registered or replaced by the job *job_id*.

    *earlier* is the link that it had before.
    """
    contact = facts.contact_of(order.contact)
    contact_id = contact.contact_id if isinstance(contact, KnownContact) else None
    missing = list(_missing_references(order, contact, facts))
    return ContactLink(
        order_id=order.order_id,
        job_id=job_id,
        contact_version=stored.contact_version,
        contact_id=contact_id,
        registered_at=stored.registered_at,
        missing=tuple(it for it, _ in missing),
        waits_for=tuple(key for _, key in missing),
        withheld_until=withheld_until(contact_id, stored, earlier, facts),
    )


def withheld_until(
    contact_id: str | None, stored: StoredOrder, link: ContactLink | None, facts: ReferenceFacts
) -> datetime | None:
    """
    Return up to when an order's actions are not to be fired for the contact that it gets.

    An erased contact had the key by which the order names its contact, and the order may have been
    meant for that one. It wasn't where it had the same contact before, by *link*.
    """
    if contact_id is None:
        return None
    if link is not None and link.contact_id == contact_id and is_of_same_contact(stored, link):
        return link.withheld_until
    erasure = facts.erasures.get(facts.keys.lookup_key(stored.contact))
    if erasure is None or not erasure.covers(stored.registered_at, stored.contact_since_at):
        return None
    return erasure.seen


def _missing_references(
    order: AnnouncedOrder, contact: KnownContact | str, facts: ReferenceFacts
) -> Iterator[tuple[Missing, str]]:
    """Yield each reference of *order* that does not exist, with the key that it waits for."""
    if isinstance(contact, str):
        # The reference is the key's type, never the key: that may be personal data.
        missing = Missing(code=contact, reference=order.contact.match_key_type)
        yield missing, facts.awaited_key(order.contact)
    for sku in order.skus:
        if sku not in facts.articles:
            yield Missing(code=ARTICLE_MISSING, reference=sku), article_key(sku)
    store = order.external_store_id
    if store is not None and store not in facts.stores:
        yield Missing(code=STORE_MISSING, reference=store), store_key(store)


def current_link(stored: StoredOrder | None, link: ContactLink | None) -> ContactLink | None:
    """Return *link* if it was made at the order's last registration or replacement."""
    if link is None or stored is None or link.contact_version != stored.contact_version:
        return None
    return link


def is_of_same_contact(stored: StoredOrder, link: ContactLink) -> bool:
    """Return whether *link* was made since the order got the contact that it names."""
    return stored.contact_since <= link.contact_version <= stored.contact_version


def healed_link(link: ContactLink, stored: StoredOrder, facts: ReferenceFacts) -> ContactLink:
    """
    Return *link* without the references that exist by now.

    A link only improves: an order that was linked stays linked to that contact, and an article
    that is deleted later is missing only from later orders.
    """
    contact_id = link.contact_id
    left: list[tuple[Missing, str]] = []
    for missing, key in zip(link.missing, link.waits_for, strict=True):
        if missing.code not in CONTACT_CODES:
            existing = facts.articles if missing.code == ARTICLE_MISSING else facts.stores
            left += [] if missing.reference in existing else [(missing, key)]
        elif isinstance(contact := facts.contact_of(stored.contact), str):
            again = Missing(code=contact, reference=missing.reference)
            left.append((again, facts.awaited_key(stored.contact)))
        else:
            contact_id = contact.contact_id
    return replace(
        link,
        contact_id=contact_id,
        withheld_until=withheld_until(contact_id, stored, link, facts),
        missing=tuple(it for it, _ in left),
        waits_for=tuple(key for _, key in left),
    )
