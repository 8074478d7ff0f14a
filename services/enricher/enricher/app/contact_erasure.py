"""Erasing contacts: their keys remembered, their orders deleted, their deliveries redacted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from pymongo.asynchronous.database import AsyncDatabase

from enricher import metrics
from enricher.adapters import batch_snapshot, bulk_writes, links
from enricher.adapters.publishing import RecordPublisher, publish
from enricher.app.passed_over import report_unerased
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.erasure import DeletedContact, lifetimes_of
from enricher.domain.events import deletion_command
from enricher.domain.model import OrderLifetime
from order_runtime.documents.deliveries import redaction_update
from order_runtime.documents.erasures import Erasure, id_key
from order_runtime.mongo import erasure_store, merge_store
from order_runtime.mongo.client import ACTION_DELIVERIES, ERASURES, LINKS, MERGES, Document
from order_runtime.mongo.portions import portions
from order_runtime.process.isolation import handle_apart


class ContactErasure:
    """
    Erases what belongs to deleted contacts; every step may be repeated.

    An erasure is noted before orders and deliveries are searched, and whoever links an order or
    sends an action searches for erasures after having written it: one of the two finds the other.
    """

    def __init__(
        self, database: AsyncDatabase[Document], publisher: RecordPublisher, keys: ContactKeys
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._keys = keys

    async def note(self, deleted: Sequence[DeletedContact]) -> None:
        """Note the erasure of every key of these contacts: it covers what names them later, too."""
        hashes = {(self._keys.hashed(key), it.at) for it in deleted for key in it.keys}
        await self._note(hashes)
        # Afterwards: who merges one into these looks for their notes when its pointer is stored.
        for it in deleted:
            merged = await merge_store.find_merged(self._database[MERGES], [self._id_hash(it)])
            await self._note({(key_hash, it.at) for key_hash in merged})

    async def _note(self, hashes: Collection[tuple[str, datetime]]) -> None:
        writes = [erasure_store.note_erasure(key_hash, at) for key_hash, at in sorted(hashes)]
        await bulk_writes.bulk_write(self._database[ERASURES], writes)

    async def follow_merges(self, contacts: Mapping[str, str], now: datetime) -> None:
        """
        Let the orders and deliveries of merged contacts count as those of their survivors.

        *contacts* are the ids of contacts by their hashes. If a survivor was erased, that covers
        what is moved to it.
        """
        survivors = await merge_store.find_survivors(self._database[MERGES], contacts)
        for id_hash, survivor in survivors.items():
            moved = {"contactId": contacts[id_hash]}
            if survivor.contact_id is not None:
                for name in (LINKS, ACTION_DELIVERIES):
                    await self._database[name].update_many(
                        moved, {"$set": {"contactId": survivor.contact_id}}
                    )
            noted = await erasure_store.find_erasures(self._database[ERASURES], [survivor.hash])
            for erasure in noted.values():
                await self._note({(id_hash, erasure.at)})
                await self._erase_id(survivor.contact_id or contacts[id_hash], erasure, now)

    async def erase(self, deleted: Sequence[DeletedContact], now: datetime) -> None:
        """
        Delete the orders of these contacts and redact their deliveries; `note` comes first.

        So does the reconciler, for the orders that wait for a key: a link that is healed by it
        is one of the contact's then.
        """
        noted = await erasure_store.find_erasures(
            self._database[ERASURES], {self._id_hash(it) for it in deleted}
        )
        for it in deleted:
            # The note may have expired by now if the tombstone is an old one that is read again.
            erasure = noted.get(self._id_hash(it), Erasure(it.at, now))
            merged = await merge_store.find_merged(self._database[MERGES], [self._id_hash(it)])
            for contact_id in (it.contact_id, *filter(None, merged.values())):
                await self._erase_id(contact_id, erasure, now)
            await merge_store.forget_ids(self._database[MERGES], [self._id_hash(it)])
        metrics.ERASED.inc(len(deleted))

    async def _erase_id(self, contact_id: str, erasure: Erasure, now: datetime) -> None:
        await self._delete_orders_of(contact_id, erasure)
        covered = {
            "contactId": contact_id,
            "registeredAt": {"$lte": erasure.at},
            "acceptedAt": {"$lte": erasure.seen},
        }
        await self._database[ACTION_DELIVERIES].update_many(covered, redaction_update(now))

    def _id_hash(self, deleted: DeletedContact) -> str:
        return self._keys.hashed(id_key(deleted.contact_id))

    async def _delete_orders_of(self, contact_id: str, erasure: Erasure) -> None:
        """
        Delete the orders that are linked to the contact.

        An order that can't be read is passed over: nobody knows whether it is the contact's.
        """
        linked = await links.linked_to(self._database[LINKS], contact_id)

        async def delete_some(some: Sequence[str]) -> None:
            found = await links.links_of(self._database[LINKS], some)
            orders = await batch_snapshot.stored_orders(self._database, some)
            await self.delete_orders(lifetimes_of(contact_id, erasure, orders, found))

        for some in portions(linked):
            report_unerased(await handle_apart(some, delete_some))

    async def delete_orders(self, erased: Mapping[OrderLifetime, datetime]) -> None:
        """Command the deletion of these orders; their links name the contact and go at once."""
        await publish(self._publisher, [deletion_command(it, at) for it, at in erased.items()])
        await bulk_writes.bulk_write(
            self._database[LINKS], [links.erased_link_write(it) for it in erased]
        )
