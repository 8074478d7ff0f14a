"""Erased contacts: what was theirs is ended here, and kept from coming back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pymongo import DeleteOne
from pymongo.asynchronous.database import AsyncDatabase

from enricher import metrics
from enricher.adapters import batch_snapshot, bulk_writes, links, reference_lookup
from enricher.adapters.publishing import RecordPublisher, publish
from enricher.adapters.reference_store import DeletedContact
from enricher.domain import events
from enricher.domain.contact_matching import ContactKeys, KnownContact
from enricher.domain.model import (
    ContactLink,
    OrderLifetime,
    ReceivedEvent,
    ReferenceFacts,
    StoredOrder,
)
from enricher.domain.reconcile import OrderContext, current_link
from enricher.domain.rules import ACTED, CONNECTED
from order_runtime.documents.deliveries import redaction_update
from order_runtime.documents.erasures import Erasure, id_key
from order_runtime.mongo import erasure_store
from order_runtime.mongo.client import ACTION_DELIVERIES, ERASURES, LINKS, Document


@dataclass(frozen=True, slots=True)
class ContactKeyClaim:
    """A key by which an order means its contact, as a hash."""

    lifetime: OrderLifetime
    key_hash: str
    stored: StoredOrder


class ContactErasure:
    """
    Ends what belonged to contacts that were deleted; all of it bears being done again.

    An erasure is noted before anything is looked for, and whoever links or sends something looks
    for erasures after having written it: so one of the two finds what the other did.
    """

    def __init__(
        self, database: AsyncDatabase[Document], publisher: RecordPublisher, keys: ContactKeys
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._keys = keys

    async def note(self, gone: Sequence[DeletedContact]) -> None:
        """Note that these contacts were erased, so that nothing of theirs is taken for new."""
        hashes = {(self._keys.hashed(key), it.at) for it in gone for key in it.keys}
        writes = [erasure_store.note_erasure(key_hash, at) for key_hash, at in sorted(hashes)]
        await bulk_writes.bulk_write(self._database[ERASURES], writes)

    async def all_of(self, gone: Sequence[DeletedContact], now: datetime) -> None:
        """Delete the orders of these contacts and redact their deliveries."""
        noted = await erasure_store.find_erasures(
            self._database[ERASURES], {self._noted(it) for it in gone}
        )
        for it in gone:
            # Not there any more where the tombstone is read again just as its note expires.
            erasure = noted.get(self._noted(it), Erasure(it.at, now))
            await self._orders_of(it, erasure)
            theirs = {
                "contactId": it.contact_id,
                "registeredAt": {"$lte": erasure.at},
                "acceptedAt": {"$lte": erasure.seen},
            }
            await self._database[ACTION_DELIVERIES].update_many(theirs, redaction_update(now))
        metrics.ERASED.inc(len(gone))

    def _noted(self, gone: DeletedContact) -> str:
        """Return under which hash `note` has noted the erasure."""
        return self._keys.hashed(id_key(gone.contact_id))

    async def _orders_of(self, gone: DeletedContact, erasure: Erasure) -> None:
        """
        Delete those that wait for any of its keys, and those that are linked.

        In this order: a link that is healed meanwhile goes from the first to the second.
        """
        waiting = await links.waiting_for(self._database[LINKS], sorted(gone.keys))
        linked = await links.linked_to(self._database[LINKS], gone.contact_id)
        for some in bulk_writes.portions(list({*waiting, *linked})):
            found = await links.links_of(self._database[LINKS], some)
            orders = await batch_snapshot.stored_orders(self._database, some)
            wanted = {self._keys.wanted(it.contact) for it in orders.values()}
            facts = await reference_lookup.look_up_facts(self._database, wanted, (), (), self._keys)
            theirs = {
                lifetime_of(key, stored): erasure.at
                for key, stored in orders.items()
                if current_link(OrderContext(stored, found.get(key)))
                and contact_key_of(stored, found.get(key), facts) in gone.keys
                and is_covered(stored, erasure)
            }
            await self.delete(theirs)

    async def covered(self, claims: Collection[ContactKeyClaim]) -> dict[OrderLifetime, datetime]:
        """Return the orders among these that belong to an erased contact, and since when."""
        known = await erasure_store.find_erasures(
            self._database[ERASURES], {claim.key_hash for claim in claims}
        )
        return {claim.lifetime: erasure.at for claim, erasure in _covered(claims, known)}

    async def delete(self, lives: Mapping[OrderLifetime, datetime]) -> None:
        """Ask for the deletion of these orders; their links, which name the contact, go at once."""
        await publish(
            self._publisher, [events.deletion_command(it, at) for it, at in lives.items()]
        )
        # Not what was linked since, for another contact or in a later life: versions only grow.
        gone = [
            DeleteOne({"_id": it.order_id, "contactVersion": {"$lte": it.connected}})
            for it in lives
        ]
        await bulk_writes.bulk_write(self._database[LINKS], gone)


def is_covered(stored: StoredOrder, erasure: Erasure) -> bool:
    """Return whether an order that means an erased contact did so before it was erased."""
    return erasure.covers(stored.registered_at, stored.contact_since_at)


def lifetime_of(order_id: str, stored: StoredOrder) -> OrderLifetime:
    return OrderLifetime(
        order_id, stored.registered_by, stored.contact_since, stored.contact_version
    )


def _covered(
    claims: Iterable[ContactKeyClaim], known: Mapping[str, Erasure]
) -> Iterator[tuple[ContactKeyClaim, Erasure]]:
    for claim in claims:
        erasure = known.get(claim.key_hash)
        if erasure is not None and is_covered(claim.stored, erasure):
            yield claim, erasure


def contact_key_claims(
    events: Iterable[ReceivedEvent],
    orders: Mapping[str, StoredOrder],
    linked: Mapping[str, ContactLink],
    facts: ReferenceFacts,
) -> list[ContactKeyClaim]:
    """Return by which key each order that these events are about means its contact."""
    found: list[ContactKeyClaim] = []
    for it in events:
        order_id = it.event.order_id
        stored = orders.get(order_id)
        if stored is None or it.kind not in CONNECTED | ACTED:
            continue
        if stored.registered_by == it.event.registration:
            key = facts.keys.hashed(contact_key_of(stored, linked.get(order_id), facts))
            found.append(ContactKeyClaim(lifetime_of(order_id, stored), key, stored))
    return found


def contact_key_of(stored: StoredOrder, link: ContactLink | None, facts: ReferenceFacts) -> str:
    """
    Return the id of the contact that is linked or would be, else the key that is waited for.

    *facts* are to know the key that is stored, which may be another than its event's.
    """
    current = current_link(OrderContext(stored, link))
    if current is not None and current.contact_id is not None:
        return id_key(current.contact_id)
    contact = facts.contact_of(stored.contact)
    if isinstance(contact, KnownContact):
        return id_key(contact.contact_id)
    return facts.keys.wanted(stored.contact)
