"""Jobs with what other collections have of them: their enrichments and their deliveries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from gateway.adapters.batch_loader import BatchLoader
from order_contracts.derived_ids import action_id
from order_runtime.documents.document import Document
from order_runtime.documents.jobs import StoredJob, awaits_enrichment

Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, Document]]]
"""Returns the documents with these `_id`s, by `_id`."""


class JobJoins:
    """Joins jobs to their enrichments and deliveries: one query each, whatever their number."""

    def __init__(self, fetch_enrichments: Fetch, fetch_deliveries: Fetch) -> None:
        self._fetch_enrichments, self._fetch_deliveries = fetch_enrichments, fetch_deliveries
        self._enrichments = BatchLoader(fetch_enrichments)
        self._deliveries = BatchLoader(fetch_deliveries)

    async def one(self, job: Document) -> StoredJob:
        """Return one job, its look-ups batched with those of other callers."""
        enrichment, delivery = await asyncio.gather(
            _look_up(self._enrichments, _enrichment_ids([job])),
            _look_up(self._deliveries, _delivery_ids([job])),
        )
        return StoredJob(job, enrichment, delivery)

    async def all(self, jobs: Sequence[Document]) -> list[StoredJob]:
        enrichments, deliveries = await asyncio.gather(
            _fetch(self._fetch_enrichments, _enrichment_ids(jobs)),
            _fetch(self._fetch_deliveries, _delivery_ids(jobs)),
        )
        return [
            StoredJob(it, enrichments.get(it["_id"]), deliveries.get(action_id(str(it["_id"]))))
            for it in jobs
        ]


async def _look_up(loader: BatchLoader[Document], ids: Sequence[str]) -> Document | None:
    return await loader.get(ids[0]) if ids else None


async def _fetch(fetch: Fetch, ids: Sequence[str]) -> Mapping[str, Document]:
    return await fetch(ids) if ids else {}


def _enrichment_ids(jobs: Sequence[Document]) -> list[str]:
    """Return the ids of the enrichments that these jobs may have."""
    return [it["_id"] for it in jobs if awaits_enrichment(it)]


def _delivery_ids(jobs: Sequence[Document]) -> list[str]:
    """Return the ids of the deliveries that these jobs may have."""
    return [action_id(str(it["_id"])) for it in jobs if "action" in it]
