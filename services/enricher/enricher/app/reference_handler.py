"""Handling reference records: stored, then put into the queue of what heals orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters import reference_store
from enricher.adapters.healing_queue import HealingQueue
from enricher.adapters.reference_store import StoredReferences
from enricher.app.contact_erasure import ContactErasure
from enricher.app.passed_over import reason_of
from enricher.domain.contact_matching import ContactKeys
from enricher.domain.healing import Arrival
from enricher.domain.references import split_at_deletions
from order_runtime.documents.document import UnreadableStored
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import Document
from order_runtime.process.isolation import Isolation
from order_runtime.process.unreadable import report


class ReferenceHandler:
    """Handles batches of one reference topic; every step may be repeated."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        queue: HealingQueue,
        contact_erasure: ContactErasure,
        keys: ContactKeys,
        topic_ids: Mapping[str, str],
    ) -> None:
        self._database = database
        self._queue = queue
        self._contact_erasure = contact_erasure
        self._keys = keys
        self._topic_ids = topic_ids
        self._isolation = Isolation()

    async def __call__(self, records: Sequence[Record], now: datetime) -> None:
        """
        Handle *records*: on return the queue has what is left to do, however much that is.

        Erasures are noted by then: what is handled afterwards knows of them.

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
            await self._queue.add(await self._arrivals(run[0].topic, stored), now)

    async def _arrivals(self, topic: str, stored: StoredReferences) -> list[Arrival]:
        """Note merges and erasures; return all that changed, for the queue."""
        gone, positions = stored.tombstones, {it["_id"]: it["position"] for it in stored.changed}
        return [
            *(
                Arrival(topic, it, tombstone=it in gone, position=positions.get(it))
                for it in stored.documents
            ),
            *await self._contact_erasure.note_merges(stored.merged),
            *await self._contact_erasure.note(stored.deleted),
        ]
