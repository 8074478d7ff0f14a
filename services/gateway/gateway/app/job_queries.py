"""The calls that answer jobs: one, and a list of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.adapters.read_store import ReadStore
from gateway.app.job_reader import JobReader
from gateway.domain.job_filters import STATUS_FILTERS
from gateway.domain.pagination import page_request
from gateway.domain.query_params import choice_in, time_in
from gateway.domain.urls import Urls
from gateway.http.admission import Admission
from gateway.http.responses import job_response, json_response
from order_contracts.answers import JobList
from order_contracts.job import JobStatus
from order_runtime.mongo.client import JOBS

LIST_PARAMETERS: Final = ("orderId", "status", "since", "count", "continuation")


@dataclass(frozen=True, slots=True)
class JobQueries:
    admission: Admission
    reads: ReadStore
    urls: Urls
    jobs: JobReader

    async def get(self, request: Request) -> Response:
        """Answer a job, or redirect to its order where the query asks for that and it exists."""
        self.admission.admit(request, "orders:read", ["redirect"])
        redirect = choice_in(request.query_params, "redirect", ("true", "false")) == "true"
        job = await self.jobs.job(request.path_params["job_id"])
        if redirect and job.order is not None and job.status is not JobStatus.FAILED:
            return Response(status_code=302, headers={"Location": job.order.href})
        return job_response(job)

    async def list(self, request: Request) -> Response:
        """Answer the jobs of commands that were applied or refused, the newest first."""
        self.admission.admit(request, "orders:read", LIST_PARAMETERS)
        query = request.query_params
        asked, since = page_request(query, "at"), time_in(query, "since")
        status = choice_in(query, "status", JobStatus)
        where: list[Mapping[str, Any]] = [
            {"orderId": query["orderId"]} if "orderId" in query else {},
            {"at": {"$gte": since}} if since else {},
            STATUS_FILTERS[status] if status else {},
        ]
        page = asked.page(await self.reads.find_page(JOBS, where, asked), self.urls.jobs)
        jobs = await self.jobs.of_documents(page.rows, order_exists=True)
        return json_response(JobList(items=jobs, links=page.links))
