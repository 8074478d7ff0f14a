"""Handling reference records: stored, then the orders reconciled that they affect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters import reference_store
from enricher.app.contact_erasure import ContactErasure
from enricher.app.passed_over import reason_of
from enricher.app.reconciler import Reconciler
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.references import split_at_deletions
from order_runtime.documents.document import UnreadableStored
from order_runtime.kafka.records import Record
from order_runtime.mongo import merge_store
from order_runtime.mongo.client import MERGES, Document
from order_runtime.process.isolation import Isolation
from order_runtime.process.unreadable import report


class ReferenceHandler:
    """Handles batches of one reference topic; every step may be repeated."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        reconciler: Reconciler,
        contact_erasure: ContactErasure,
        keys: ContactKeys,
        topic_ids: Mapping[str, str],
    ) -> None:
        self._database = database
        self._reconciler = reconciler
        self._contact_erasure = contact_erasure
        self._keys = keys
        self._topic_ids = topic_ids
        self._isolation = Isolation()

    async def __call__(self, records: Sequence[Record], now: datetime) -> None:
        """
        Handle *records* completely: on return all orders that they heal or erase are done.

        A record that can't be handled is passed over. Raises EverythingFails where none can be.
        """

        async def handle(some: Sequence[Record]) -> None:
            await self._handle(some, now)

        for record, error in await self._isolation.handle(records, handle):
            if isinstance(error, UnreadableStored):
                report(error)
            reference_store.log_skipped(record, reason_of(error))

    async def _handle(self, records: Sequence[Record], now: datetime) -> None:
        for run in split_at_deletions(records):
            topic_id = self._topic_ids[run[0].topic]
            stored = await reference_store.store_references(
                self._database, run, self._keys, topic_id
            )
            await self._contact_erasure.follow_merges(stored.merged, now)
            await self._contact_erasure.note(stored.deleted)
            # Before the erasure: an order whose key a second contact has too is that one's by now.
            # It takes those that wait for a key which nobody carries any more.
            await self._reconciler.reconcile_waiting(stored.affected_keys, now)
            await self._contact_erasure.erase(stored.deleted, now)
            await merge_store.forget_ids(self._database[MERGES], stored.merged_and_gone)
            await reference_store.forget_former_keys(self._database, stored.changed)
