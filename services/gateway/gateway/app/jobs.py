"""Jobs as answers: one, a list of them, and what a failed one says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.adapters.read_store import ReadStore
from gateway.domain.pagination import Cursor, page_links, page_of, page_rows
from gateway.domain.query_params import choice_in, time_in
from gateway.domain.urls import BASE_PATH, Urls
from gateway.http.admission import Admission
from gateway.http.problems import ProblemError, failed_job_problem
from gateway.http.responses import RETRY_SOON, json_response
from order_contracts.answers import JobList
from order_contracts.job import Job, JobStatus, Operation
from order_contracts.values import Choice
from order_runtime.auth.job_ids import JobIdSecrets
from order_runtime.documents.jobs import RETENTION, accepted_job, job_of
from order_runtime.mongo.client import JOBS, Document

LIST_QUERY: Final = ("orderId", "status", "since", "count", "continuation")


@dataclass(frozen=True, slots=True)
class JobQueries:
    """The calls that answer jobs."""

    admission: Admission
    reads: ReadStore
    urls: Urls
    secrets: JobIdSecrets

    async def get(self, request: Request) -> Response:
        self.admission.admit(request, "orders:read", ["redirect"])
        redirect = choice_in(request.query_params, "redirect", _Redirect)
        job = await self._job(request.path_params["job_id"])
        if (
            redirect is _Redirect.YES
            and job.order is not None
            and job.status is not JobStatus.FAILED
        ):
            return Response(status_code=302, headers={"Location": job.order.href})
        return job_response(job)

    async def list(self, request: Request) -> Response:
        """Answer the jobs of commands that were applied or refused, the newest first."""
        self.admission.admit(request, "orders:read", LIST_QUERY)
        query = request.query_params
        page, since = page_of(query), time_in(query, "since")
        status = choice_in(query, "status", _Status)
        where: list[Mapping[str, Any]] = [
            {"orderId": query["orderId"]} if "orderId" in query else {},
            {"at": {"$gte": since}} if since else {},
            # An alias has no status of its own: it shows that of the job it repeats.
            {"aliasOf": {"$exists": False}, **_WITH_STATUS[status]} if status else {},
            page.where("at"),
        ]
        found = await self.reads.rows(JOBS, where, page.sort("at"), page.count + 1)
        rows = page_rows(found, page)
        ends = [Cursor(row["at"], row["_id"]) for row in rows.rows]
        first, last = (ends[0], ends[-1]) if ends else (page.cursor, page.cursor)
        url = f"{self.urls.public_url}{BASE_PATH}/orders/jobs"
        items = await self.all_shown(rows.rows, there=True)
        return json_response(JobList(items=items, links=page_links(url, query, rows, first, last)))

    async def all_shown(self, documents: Sequence[Document], *, there: bool) -> tuple[Job, ...]:
        """
        Return the jobs of documents; each alias shows the content of the job it repeats.

        An alias whose first job is past retention has nothing to show, and is left out.
        """
        first = await self.reads.jobs([row["aliasOf"] for row in documents if "aliasOf" in row])
        return tuple(
            self.shown(first[row["aliasOf"]], there=there, under=row["_id"])
            if "aliasOf" in row
            else self.shown(row, there=there)
            for row in documents
            if "aliasOf" not in row or row["aliasOf"] in first
        )

    def shown(self, document: Document, *, there: bool, under: str | None = None) -> Job:
        """Return the job of a document; *there* says whether its order exists."""
        order_id = document.get("orderId")
        job_id = under or document["_id"]
        job = job_of(
            document,
            created_at=self.secrets.issued_at(job_id) or document["at"],
            href=self.urls.job(job_id),
            order_href=self.urls.order(order_id) if there and order_id else None,
        )
        if under is None:
            return job
        return job.model_copy(update={"job_id": under, "alias_of": document["_id"]})

    async def stored(self, document: Document) -> Job:
        """
        Return a job that is stored; an alias shows the content of the job it repeats.

        Raises Refused where that one is past retention.
        """
        first = document.get("aliasOf")
        shown = await self.reads.job(first) if first else document
        if shown is None:
            raise _expired()
        order_id = shown.get("orderId")
        there = order_id is not None and await self.reads.exists(order_id)
        return self.shown(shown, there=there, under=document["_id"] if first else None)

    async def _job(self, job_id: str) -> Job:
        issued_at = self.secrets.issued_at(job_id)
        if issued_at is not None and issued_at + RETENTION < datetime.now(UTC):
            raise _expired()
        found = await self.reads.job(job_id)
        if found is not None:
            return await self.stored(found)
        if issued_at is None:
            raise ProblemError("JobNotFound", "This system issued no such job.")
        return accepted_job(job_id, created_at=issued_at, href=self.urls.job(job_id))


def job_response(job: Job, headers: Mapping[str, str] | None = None) -> Response:
    """Return a job with its own status: a failed one as a problem that holds it."""
    if job.status is JobStatus.FAILED and job.errors:
        return failed_job_problem(job, job.errors[0]).response(headers)
    retry = RETRY_SOON if job.status is JobStatus.ACCEPTED else {}
    return json_response(job, headers={**retry, **(headers or {})})


def _expired() -> ProblemError:
    return ProblemError("JobExpired", "Jobs are kept for 30 days.")


class _Redirect(Choice):
    YES = "true"
    NO = "false"


class _Status(Choice):
    ACCEPTED = "Accepted"
    COMPLETED = "Completed"
    COMPLETED_WITH_ERRORS = "CompletedWithErrors"
    FAILED = "Failed"


_MISSING: Final = {"enrichment.state": "contactMissing"}
_ACTION: Final = {"operation": str(Operation.ACTION)}
_FAILED: Final = {"$or": [{"failure": {"$exists": True}}, {"$and": [_MISSING, _ACTION]}]}
_WITH_STATUS: Final[Mapping[_Status, Mapping[str, Any]]] = {
    # What is only accepted is not in the ledger yet.
    _Status.ACCEPTED: {"_id": {"$exists": False}},
    _Status.FAILED: _FAILED,
    _Status.COMPLETED_WITH_ERRORS: {"$and": [_MISSING, {"$nor": [_FAILED]}]},
    _Status.COMPLETED: {"$nor": [_FAILED, _MISSING]},
}
"""`status_of`, as a filter; a test holds the two together."""
