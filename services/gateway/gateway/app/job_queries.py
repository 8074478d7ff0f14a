"""The calls that answer jobs: one, and a list of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.adapters.read_store import ReadStore
from gateway.app.job_lists import JobListFilter, JobLists
from gateway.app.job_reader import JobReader
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

    @property
    def lists(self) -> JobLists:
        return JobLists(self.reads, self.urls.jobs)

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
        asked = page_request(query, "at")
        wanted = JobListFilter(query.get("orderId"), time_in(query, "since"))
        status = choice_in(query, "status", JobStatus)
        if status is not None:
            of_status = await self.lists.of_status(status, wanted, asked)
            jobs, links = await self.jobs.of_joined(of_status.jobs), of_status.links
        else:
            rows = await self.reads.find_page(JOBS, wanted.conditions("at"), asked)
            page = asked.page(rows, self.urls.jobs)
            jobs, links = await self.jobs.of_documents(page.rows, order_exists=True), page.links
        return json_response(JobList(items=jobs, links=links))
