"""
Commitments: how each action ends, recorded on its job before anything is done about it.

A worker may pause after any of its steps until another one has taken over and finished. So each
worker records its commitment by compare-and-set first; one that finds a different commitment loads
and decides again, and carries that one out.
"""

from __future__ import annotations

from collections.abc import Sequence

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from enricher.adapters import bulk_writes
from enricher.domain.model import Commitment, DecidedEvent
from order_contracts.job import Action
from order_runtime.documents import job_updates
from order_runtime.documents.document import field, optional, stored
from order_runtime.mongo.client import JOBS, Document


async def record_commitments(
    jobs: AsyncCollection[Document], decided: Sequence[DecidedEvent]
) -> bool:
    """Record the commitments of *decided*; return False if a job has another one by now."""
    commitments = {
        it.received.event.job_id: commitment
        for it in decided
        if it.received.commitment is None and (commitment := it.decision.commitment)
    }
    if not commitments:
        return True
    await bulk_writes.bulk_write(
        jobs, [_commitment_write(job_id, it) for job_id, it in commitments.items()]
    )
    found = jobs.find({"_id": {"$in": list(commitments)}}, ["agreed"])
    recorded = {
        it["_id"]: stored(JOBS, it, agreed_of) if "agreed" in it else None async for it in found
    }
    return all(commitments[job_id] == it for job_id, it in recorded.items())


def _commitment_write(job_id: str, commitment: Commitment) -> UpdateOne:
    """Return the record of *commitment*, unless the job has another one or an enrichment."""
    return UpdateOne(*job_updates.commit_action(job_id, commitment.end, commitment.contact_id))


def agreed_of(job: Document) -> Commitment:
    """Return the commitment on a job that has one."""
    agreed = field(job, "agreed", dict)
    return Commitment(Action(agreed["end"]), optional(agreed, "contactId", str))
