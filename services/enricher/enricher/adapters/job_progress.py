"""How far the jobs of a batch are: their enrichments and commitments, wherever they are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence, Set
from typing import Final

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters.commitment_store import agreed_of, commitments_of
from enricher.domain.batch import JobProgress
from order_contracts.job import Action
from order_runtime.documents.document import field, stored
from order_runtime.mongo.client import ENRICHMENTS, JOBS, Document

_IN_JOBS: Final = [{"enrichment": {"$exists": True}}, {"agreed": {"$exists": True}}]


async def job_progress(
    database: AsyncDatabase[Document], job_ids: Sequence[str], again: Set[str] = frozenset()
) -> JobProgress:
    """
    Return the enrichments and commitments of these jobs; raises UnreadableStored.

    Those *again* count as if they had no enrichment yet.
    """
    if not job_ids:
        return JobProgress({}, {})
    enrichments, commitments, earlier = await asyncio.gather(
        _enrichments(database[ENRICHMENTS], job_ids),
        commitments_of(database, job_ids),
        _begun_earlier(database[JOBS], job_ids),
    )
    before = {it: stored(JOBS, job, _enrichment_in) for it, job in earlier.items()}
    agreed = {it: stored(JOBS, job, agreed_of) for it, job in earlier.items() if "agreed" in job}
    found = {it: known for it, known in before.items() if known is not None} | enrichments
    known = {it: enrichment for it, enrichment in found.items() if it not in again}
    open_commitments = {**agreed, **commitments}
    return JobProgress(
        known,
        {it: end for it, end in open_commitments.items() if it not in known},
        frozenset(agreed),
        frozenset(it for it in found.keys() & again if found[it].get("action") == Action.FIRED),
    )


async def enriched_of(database: AsyncDatabase[Document], job_ids: Collection[str]) -> set[str]:
    """Return those of these jobs whose enrichment is in its collection; reads an index alone."""
    if not job_ids:
        return set()
    found = database[ENRICHMENTS].find({"_id": {"$in": list(job_ids)}}, {"_id": 1})
    return {it["_id"] async for it in found}


async def _enrichments(
    enrichments: AsyncCollection[Document], job_ids: Sequence[str]
) -> dict[str, Document]:
    found = enrichments.find({"_id": {"$in": list(job_ids)}}, ["state", "action"])
    return {it["_id"]: stored(ENRICHMENTS, it, _with_state) async for it in found}


async def _begun_earlier(
    jobs: AsyncCollection[Document], job_ids: Sequence[str]
) -> dict[str, Document]:
    """Return what the release before wrote into the jobs themselves."""
    found = jobs.find({"_id": {"$in": list(job_ids)}, "$or": _IN_JOBS}, ["enrichment", "agreed"])
    return {it["_id"]: it async for it in found}


def _with_state(enrichment: Document) -> Document:
    field(enrichment, "state", str)
    return enrichment


def _enrichment_in(job: Document) -> Document | None:
    return field(job, "enrichment", dict) if "enrichment" in job else None
