"""Reference records as they come: kept, and what waited for them looked at again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters import reference_store
from enricher.app.contact_erasure import ContactErasure
from enricher.app.reconciler import Reconciler
from enricher.domain.contact_matching import ContactKeys
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import Document


class ReferenceHandler:
    """Handles batches of one reference topic; all of it bears being done again."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        tend: Reconciler,
        erase: ContactErasure,
        keys: ContactKeys,
        topic_ids: Mapping[str, str],
    ) -> None:
        self._database = database
        self._tend = tend
        self._erase = erase
        self._keys = keys
        self._topic_ids = topic_ids

    async def __call__(self, records: Sequence[Record], now: datetime) -> None:
        """Handle *records* wholly: when this returns, what they mend or erase is done."""
        for some in split_at_deletions(records):
            topic_id = self._topic_ids[some[0].topic]
            kept = await reference_store.store_references(
                self._database, some, self._keys, topic_id
            )
            await self._erase.note(kept.gone)
            # First what now means somebody else, since two contacts may have shared a key.
            await self._tend.arrived(kept.keys, now)
            await self._erase.all_of(kept.gone, now)
            await reference_store.forget_former(self._database, kept.changed)


def split_at_deletions(records: Sequence[Record]) -> Iterator[list[Record]]:
    """Yield *records* in stretches: of what a deletion is about, none holds anything else."""
    run: list[Record] = []
    seen: set[bytes | None] = set()
    deleted: set[bytes | None] = set()
    for record in records:
        if record.key in deleted or (record.value is None and record.key in seen):
            yield run
            run, seen, deleted = [], set(), set()
        run.append(record)
        seen.add(record.key)
        if record.value is None:
            deleted.add(record.key)
    if run:
        yield run
