"""
Jobs that are stored and whose event or action nobody received, as after the loss of a topic.

The enricher handles those again that an operator names, under the ids that their messages had.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Final

from pymongo import ASCENDING, UpdateOne
from pymongo.database import Database

from order_contracts.derived_ids import action_id
from order_contracts.job import Action
from order_operations.connections.mongo_client import bounded_database
from order_operations.connections.system_address import MongoAddress
from order_runtime.documents.job_updates import handle_again
from order_runtime.documents.jobs import awaits_enrichment
from order_runtime.mongo.client import (
    ACTION_DELIVERIES,
    ENRICHMENTS,
    JOBS,
    UNFINISHED_JOBS,
    Document,
)

CHUNK: Final = 1_000
ON_ITS_WAY: Final = timedelta(seconds=10)
"""A command that is younger may still be handled."""
_FIELDS: Final = (
    *("orderId", "operation", "at", "expireAt", "version", "failure.code", "aliasOf"),
    *("action.action", "enrichment.state", "enrichment.action", "delivery.state"),
)


class Lack(StrEnum):
    """What a job should have by now."""

    ENRICHMENT = "enrichment"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class UnfinishedJob:
    """A job that lacks something, with the time of its command."""

    job_id: str
    order_id: str | None
    operation: str
    lacks: Lack
    at: datetime
    expire_at: datetime


def unfinished_jobs(
    address: MongoAddress, since: datetime | None, seconds: float
) -> list[UnfinishedJob]:
    """
    Return the jobs, of commands from *since* on, whose event or action nobody received.

    The oldest first. Where consumers have a lag, these include what they have yet to read. Raises
    OperationFailed.
    """
    with bounded_database(address, seconds) as database:
        return list(_unfinished(database, since))


def have_handled_again(
    address: MongoAddress, since: datetime | None, seconds: float
) -> list[UnfinishedJob]:
    """Have the enricher handle these jobs again, within a minute or two; return them."""
    with bounded_database(address, seconds) as database:
        found = list(_unfinished(database, since))
        updates = [UpdateOne(*handle_again(it.job_id, it.expire_at), upsert=True) for it in found]
        if updates:
            database[UNFINISHED_JOBS].bulk_write(updates, ordered=False)
    return found


def lack_of(job: Document, enrichment: Document | None, *, has_delivery: bool) -> Lack | None:
    """Return what a job lacks by its documents, None where it lacks nothing. Pure."""
    if "aliasOf" in job or not awaits_enrichment(job):
        return None
    found = enrichment or job.get("enrichment")
    if not found:
        return Lack.ENRICHMENT
    delivered = has_delivery or "delivery" in job
    return Lack.DELIVERY if found.get("action") == Action.FIRED and not delivered else None


def _unfinished(database: Database[Document], since: datetime | None) -> Iterator[UnfinishedJob]:
    times: Document = {"$lt": datetime.now(UTC) - ON_ITS_WAY}
    where = {"at": times | ({"$gte": since} if since else {})}
    jobs = database[JOBS].find(where, _FIELDS).sort([("at", ASCENDING), ("_id", ASCENDING)])
    while some := list(islice(jobs, CHUNK)):
        yield from _lacking(database, some)


def _lacking(database: Database[Document], jobs: Sequence[Document]) -> Iterator[UnfinishedJob]:
    ids = [it["_id"] for it in jobs]
    found = database[ENRICHMENTS].find({"_id": {"$in": ids}}, ["state", "action"])
    enrichments = {it["_id"]: it for it in found}
    actions = [action_id(it["_id"]) for it in jobs if "action" in it]
    recorded = database[ACTION_DELIVERIES].find({"_id": {"$in": actions}}, {"_id": 1})
    deliveries = {it["_id"] for it in recorded}
    for job in jobs:
        job_id = job["_id"]
        has_delivery = action_id(job_id) in deliveries
        if lack := lack_of(job, enrichments.get(job_id), has_delivery=has_delivery):
            yield UnfinishedJob(
                job_id, job.get("orderId"), job["operation"], lack, job["at"], job["expireAt"]
            )
