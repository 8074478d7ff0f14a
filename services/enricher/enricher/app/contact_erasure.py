"""Erasing contacts: their keys noted, and their orders deleted by commands."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters import bulk_writes, links
from enricher.adapters.publishing import RecordPublisher, publish
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.erasure import DeletedContact
from enricher.domain.events import deletion_command
from enricher.domain.healing import Arrival
from enricher.domain.model import OrderLifetime
from order_contracts.topics import CONTACTS
from order_runtime.documents.erasures import id_key
from order_runtime.mongo import erasure_store, merge_store
from order_runtime.mongo.client import ERASURES, LINKS, MERGES, Document


class ContactErasure:
    """
    Notes the erasures of contacts, and commands the deletion of orders; may be repeated.

    An erasure is noted before orders and deliveries are searched, and whoever links an order or
    sends an action searches for erasures after having written it: one of the two finds the other.
    """

    def __init__(
        self, database: AsyncDatabase[Document], publisher: RecordPublisher, keys: ContactKeys
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._keys = keys

    async def note(self, deleted: Sequence[DeletedContact]) -> list[Arrival]:
        """
        Note the erasure of every key of these contacts: it covers what names them later, too.

        Return what is to be erased for it: of these, and of the contacts that were merged into one.
        """
        hashes = {(self._keys.hashed(key), it.at) for it in deleted for key in it.keys}
        await self._note(hashes)
        return [arrival for it in deleted for arrival in await self._note_merged_into(it)]

    async def _note_merged_into(self, deleted: DeletedContact) -> list[Arrival]:
        # Afterwards: who merges one into these looks for their notes when its pointer is stored.
        own = self._keys.hashed(id_key(deleted.contact_id))
        merged = await merge_store.find_merged(self._database[MERGES], [own])
        await self._note({(key_hash, deleted.at) for key_hash in merged})
        ids = {own: deleted.contact_id, **{it: name for it, name in merged.items() if name}}
        return [Arrival(CONTACTS.name, it, name, deleted.at) for it, name in ids.items()]

    async def note_merges(self, contacts: Mapping[str, str]) -> list[Arrival]:
        """
        Return what is to be moved, of those of these contacts that were merged into another one.

        *contacts* are the ids of contacts by their hashes. If a survivor was erased, that is noted
        to cover what is moved to it.
        """
        survivors = await merge_store.find_survivors(self._database[MERGES], contacts)
        erased = await erasure_store.find_erasures(
            self._database[ERASURES], {it.hash for it in survivors.values()}
        )
        ends = {it: erased[to.hash].at for it, to in survivors.items() if to.hash in erased}
        await self._note(set(ends.items()))
        return [Arrival(CONTACTS.name, it, contacts[it], ends.get(it)) for it in survivors]

    async def _note(self, hashes: Collection[tuple[str, datetime]]) -> None:
        writes = [erasure_store.note_erasure(key_hash, at) for key_hash, at in sorted(hashes)]
        await bulk_writes.bulk_write(self._database[ERASURES], writes)

    async def delete_orders(self, erased: Mapping[OrderLifetime, datetime]) -> None:
        """Command the deletion of these orders; their links name the contact and go at once."""
        await publish(self._publisher, [deletion_command(it, at) for it, at in erased.items()])
        await bulk_writes.bulk_write(
            self._database[LINKS], [links.erased_link_write(it) for it in erased]
        )
