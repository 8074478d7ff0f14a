"""Lists of jobs by their status, which is computed: by the indexes of rare ones, or by a scan."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from gateway.adapters.read_store import ReadStore
from gateway.domain.pagination import Page, PageRequest
from order_contracts.answers import PageLink
from order_contracts.job import JobStatus
from order_runtime.documents.document import Document
from order_runtime.documents.job_filters import RARE_STATUSES, JobSelection
from order_runtime.documents.jobs import RETENTION, StoredJob, status_of_stored
from order_runtime.mongo.client import ENRICHMENTS, JOBS
from order_runtime.process.unreadable import readable

CHUNK: Final = 100  # jobs that are read at a time for those of a frequent status
CHUNKS: Final = 10  # for one page; what is behind them is the next page's


@dataclass(frozen=True, slots=True)
class JobListFilter:
    """Which jobs a list is of, besides their status."""

    order_id: str | None
    since: datetime | None

    def conditions(self, sort_field: str) -> list[Mapping[str, Any]]:
        return [
            {"orderId": self.order_id} if self.order_id is not None else {},
            {sort_field: {"$gte": self.since}} if self.since is not None else {},
        ]


@dataclass(frozen=True, slots=True)
class JobListPage:
    jobs: Sequence[StoredJob]
    links: tuple[PageLink, ...]


@dataclass(frozen=True, slots=True)
class JobLists:
    reads: ReadStore
    url: str

    async def of_status(
        self, status: JobStatus, wanted: JobListFilter, asked: PageRequest
    ) -> JobListPage:
        """
        Return a page of the jobs that have a status, the newest first; none of them is an alias.

        Of a frequent status it may have fewer jobs than it could, even none, and a link to more.
        """
        if (selections := RARE_STATUSES.get(status)) is not None:
            return await self._merged(selections, wanted, asked)
        return await self._scanned(status, wanted, asked)

    async def _merged(
        self, selections: Sequence[JobSelection], wanted: JobListFilter, asked: PageRequest
    ) -> JobListPage:
        """Merge the first rows of each index, which are in the order of the list."""
        found = await asyncio.gather(*(self._select(it, wanted, asked) for it in selections))
        rows = merged([row for some in found for row in some], asked)
        named = {"_id": {"$in": [row["_id"] for row in rows]}}
        jobs = await self.reads.find_page(JOBS, [named], replace(asked, cursor=None))
        # A job may have gone meanwhile: the list goes on behind the last that was to be shown.
        last = rows[asked.count - 1] if len(rows) > asked.count else None
        page = asked.page(jobs, self.url, last)
        return JobListPage(await self.reads.all_joined(page.rows), page.links)

    async def _select(
        self, selection: JobSelection, wanted: JobListFilter, asked: PageRequest
    ) -> list[Document]:
        """Return the ids and times of the jobs of a selection from which *asked* makes its page."""
        field = selection.sort_field
        # Enrichments are kept for longer than their jobs.
        kept = [{field: {"$gt": datetime.now(UTC) - RETENTION}}] if selection.of_enrichments else []
        name = ENRICHMENTS if selection.of_enrichments else JOBS
        where = [selection.where, *wanted.conditions(field), *kept]
        by_field = replace(asked, sort_field=field)
        rows = await self.reads.find(
            name, [by_field.where(where)], by_field.sort(), asked.limit, {field: 1}
        )
        return [{"_id": row["_id"], "at": row.get(field)} for row in rows]

    async def _scanned(
        self, status: JobStatus, wanted: JobListFilter, asked: PageRequest
    ) -> JobListPage:
        """Read the jobs in the order of the list, and keep those with the status."""
        kept: list[StoredJob] = []
        part: PageRequest | None = asked
        last: Document | None = None
        for _ in range(CHUNKS):
            if part is None:
                break
            rows = await self.reads.find_page(JOBS, wanted.conditions("at"), part)
            kept += await self._with_status(rows, status)
            more = rows.cut or len(rows) == part.limit
            last = rows[-1] if more else None
            if len(kept) > asked.count or not more or (rows.cut and kept):
                break
            part = asked.behind(rows[-1], CHUNK)
        return self._page(kept, asked, last)

    async def _with_status(self, rows: Sequence[Document], status: JobStatus) -> list[StoredJob]:
        """Return those of the jobs with a status; an alias has none of its own."""
        joined = await self.reads.all_joined([row for row in rows if "aliasOf" not in row])
        return [it for it in joined if _has_status(it, status)]

    def _page(
        self, kept: Sequence[StoredJob], asked: PageRequest, scanned: Document | None
    ) -> JobListPage:
        page: Page = asked.page([it.job for it in kept], self.url, scanned)
        by_id = {it.job["_id"]: it for it in kept}
        return JobListPage([by_id[row["_id"]] for row in page.rows], page.links)


def _has_status(job: StoredJob, status: JobStatus) -> bool:
    """Return whether a job has a status; one that can't be read is reported, and has none."""
    return readable(JOBS, job.job, lambda _: status_of_stored(job)) is status


def merged(rows: Sequence[Document], asked: PageRequest) -> list[Document]:
    """Return rows of several indexes in the order in which *asked* fetches, each job once."""
    by_id = {it["_id"]: it for it in rows if isinstance(it["at"], datetime)}
    ordered = sorted(by_id.values(), key=lambda it: (it["at"], it["_id"]))
    if not asked.oldest_first:
        ordered.reverse()
    return ordered[: asked.limit]
