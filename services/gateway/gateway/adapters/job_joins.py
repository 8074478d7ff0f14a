"""Jobs with what other collections have of them: enrichments, deliveries, and log entries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from gateway.adapters.batch_loader import BatchLoader
from order_contracts.derived_ids import action_id
from order_contracts.job import JobWarning
from order_runtime.documents.document import Document
from order_runtime.documents.jobs import StoredJob, awaits_enrichment

Fetch = Callable[[Sequence[str]], Awaitable[Mapping[str, Document]]]
"""Returns the documents with these `_id`s, by `_id`."""
FetchWarnings = Callable[[Sequence[str]], Awaitable[Mapping[str, Sequence[JobWarning]]]]
"""Returns what the integration log says of these jobs, by job."""


class JobJoins:
    """
    Joins jobs to their enrichments and deliveries: one query each, whatever their number.

    Those that are answered, and not just looked at for a list, are joined to the log as well.
    """

    def __init__(
        self, fetch_enrichments: Fetch, fetch_deliveries: Fetch, fetch_warnings: FetchWarnings
    ) -> None:
        self._fetch_enrichments, self._fetch_deliveries = fetch_enrichments, fetch_deliveries
        self._fetch_warnings = fetch_warnings
        self._warnings = BatchLoader(fetch_warnings)
        self._enrichments = BatchLoader(fetch_enrichments)
        self._deliveries = BatchLoader(fetch_deliveries)

    async def one(self, job: Document) -> StoredJob:
        """Return one job as it is answered, its look-ups batched with those of other callers."""
        enrichment, delivery = await asyncio.gather(
            _look_up(self._enrichments, _enrichment_ids([job])),
            _look_up(self._deliveries, _delivery_ids([job])),
        )
        joined = StoredJob(job, enrichment, delivery)
        if not joined.enriched:  # so it has no entry yet
            return joined
        return joined._replace(logged=await self._warnings.get(job["_id"]) or ())

    async def all(self, jobs: Sequence[Document]) -> list[StoredJob]:
        """Return jobs without what the log says of them."""
        enrichments, deliveries = await asyncio.gather(
            _fetch(self._fetch_enrichments, _enrichment_ids(jobs)),
            _fetch(self._fetch_deliveries, _delivery_ids(jobs)),
        )
        return [
            StoredJob(it, enrichments.get(it["_id"]), deliveries.get(action_id(str(it["_id"]))))
            for it in jobs
        ]

    async def all_logged(self, jobs: Sequence[StoredJob]) -> list[StoredJob]:
        """Return *jobs* with what the log says of them."""
        ids = [it.job["_id"] for it in jobs if it.enriched]
        found = await self._fetch_warnings(ids) if ids else {}
        return [it._replace(logged=found.get(it.job["_id"], ())) for it in jobs]


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
