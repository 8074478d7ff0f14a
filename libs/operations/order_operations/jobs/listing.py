"""Jobs as an operator reads them: the newest by their outcome, and how many there are of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from pymongo import DESCENDING
from pymongo.cursor import Cursor
from pymongo.database import Database

from order_contracts.derived_ids import action_id
from order_operations.connections.mongo_client import bounded_database
from order_operations.connections.system_address import MongoAddress
from order_operations.jobs.document_rows import readable_rows
from order_operations.jobs.job_view import (
    CONTACT_MISSING,
    Job,
    JobCount,
    JobFilter,
    Outcome,
    job_of,
)
from order_runtime.documents.deliveries import OUTCOME_FIELDS
from order_runtime.documents.job_filters import RARE_STATUSES, JobSelection
from order_runtime.documents.jobs import RETENTION, StoredJob, awaits_enrichment
from order_runtime.mongo.client import ACTION_DELIVERIES, ENRICHMENTS, JOBS, Document

SCANNED: Final = 20_000  # jobs that are looked at, at most, the newest
CHUNK: Final = 1_000
_FIELDS: Final = dict.fromkeys(
    (
        *("orderId", "operation", "at", "version", "failure", "aliasOf", "source", "client"),
        *("action.action", "enrichment", "delivery"),
    ),
    1,
)


@dataclass(frozen=True, slots=True)
class JobPage:
    jobs: tuple[Job, ...]
    complete: bool
    """False where SCANNED jobs were looked at, and older ones may match as well."""


@dataclass(frozen=True, slots=True)
class JobSummary:
    groups: tuple[JobCount, ...]
    """The most numerous first."""
    counted: int
    complete: bool
    """As in `JobPage`."""


def newest_jobs(address: MongoAddress, wanted: JobFilter, limit: int, seconds: float) -> JobPage:
    """Return the newest jobs first, at most *limit*, no repeats; raises OperationFailed."""
    with bounded_database(address, seconds) as database:
        scan = _Scan(database, wanted)
        found = tuple(islice(scan.matching(), limit))
    return JobPage(found, scan.complete or len(found) == limit)


def summarize(address: MongoAddress, wanted: JobFilter, seconds: float) -> JobSummary:
    """Return how many jobs there are by outcome and sender; raises OperationFailed."""
    counts: Counter[Outcome] = Counter()
    times: dict[Outcome, list[datetime]] = {}
    with bounded_database(address, seconds) as database:
        scan = _Scan(database, wanted)
        for job in scan.matching():
            counts[job.outcome] += 1
            times.setdefault(job.outcome, [job.at, job.at])[0] = job.at  # the newest comes first
    groups = [JobCount(count, it, *times[it]) for it, count in counts.most_common()]
    return JobSummary(tuple(groups), counts.total(), scan.complete)


class _Scan:
    """Jobs read in portions, the newest first, and joined to what became of them."""

    def __init__(self, database: Database[Document], wanted: JobFilter) -> None:
        self._database, self._wanted = database, wanted
        self.complete = True

    def matching(self) -> Iterator[Job]:
        """Yield the jobs that match; at the end `complete` tells whether those are all."""
        for some in self._portions():
            joined = self._joined([it for it in some if "aliasOf" not in it])
            yield from filter(self._wanted.matches, joined)

    def _portions(self) -> Iterator[list[Document]]:
        code, status = self._wanted.code, self._wanted.status
        if code == CONTACT_MISSING:
            yield from self._selected([it for some in RARE_STATUSES.values() for it in some])
        elif code is None and status is not None and status in RARE_STATUSES:
            yield from self._selected(RARE_STATUSES[status])
        else:
            yield from self._chunks(self._database[JOBS].find(self._wanted.where(), _FIELDS))

    def _chunks(self, found: Cursor[Document]) -> Iterator[list[Document]]:
        newest = found.sort([("at", DESCENDING), ("_id", DESCENDING)]).limit(SCANNED + 1)
        seen = 0
        while some := list(islice(newest, CHUNK)):
            seen += len(some)
            self.complete = seen <= SCANNED
            yield some[: len(some) - max(0, seen - SCANNED)]

    def _selected(self, selections: Sequence[JobSelection]) -> Iterator[list[Document]]:
        """Yield the jobs of a status that indexes know, so that none is looked at in vain."""
        ids: dict[str, datetime] = {}
        for it in selections:
            of, field = (ENRICHMENTS, it.sort_field) if it.of_enrichments else (JOBS, it.sort_field)
            kept = {field: {"$gt": datetime.now(UTC) - RETENTION}}  # enrichments outlive their job
            where = {"$and": [it.where, kept, self._wanted.narrowed(field)]}
            rows = self._database[of].find(where, {field: 1}).sort(field, DESCENDING)
            found = {row["_id"]: row[field] for row in rows.limit(SCANNED + 1)}
            self.complete = self.complete and len(found) <= SCANNED
            ids |= found
        newest = sorted(ids, key=lambda it: (ids[it], it), reverse=True)[:SCANNED]
        for start in range(0, len(newest), CHUNK):
            some = {"_id": {"$in": newest[start : start + CHUNK]}}
            rows = self._database[JOBS].find(some, _FIELDS)
            yield list(rows.sort([("at", DESCENDING), ("_id", DESCENDING)]))

    def _joined(self, jobs: Sequence[Document]) -> Iterator[Job]:
        """Yield the jobs with what became of them; one that can't be read is left out."""
        enrichments = self._by_id(ENRICHMENTS, [it["_id"] for it in jobs if awaits_enrichment(it)])
        actions = [action_id(it["_id"]) for it in jobs if "action" in it]
        deliveries = self._by_id(ACTION_DELIVERIES, actions, OUTCOME_FIELDS)

        def joined(job: Document) -> Job:
            job_id = job["_id"]
            return job_of(
                StoredJob(job, enrichments.get(job_id), deliveries.get(action_id(job_id)))
            )

        return readable_rows(JOBS, jobs, joined)

    def _by_id(
        self, collection: str, ids: Sequence[str], fields: Sequence[str] | None = None
    ) -> dict[str, Document]:
        if not ids:
            return {}
        found = self._database[collection].find({"_id": {"$in": list(ids)}}, fields)
        return {it["_id"]: it for it in found}
