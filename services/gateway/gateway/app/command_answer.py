"""The answer to a command that was accepted: 202, or its job where the client waits for it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from starlette.responses import Response

from gateway.adapters.read_store import DatabaseUnavailable
from gateway.app.job_reader import JobReader
from gateway.app.job_waiter import JobWaiter
from gateway.domain.problem_error import RETRY_SOON, ProblemError
from gateway.domain.request_terms import RequestTerms
from gateway.domain.urls import Urls
from gateway.http.responses import job_response, json_response
from order_contracts.decoding import UnreadableDocument
from order_contracts.job import Job, JobStatus
from order_contracts.problem import Receipt


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """Answers for accepted commands; never takes an acceptance back."""

    urls: Urls
    waiter: JobWaiter
    jobs: JobReader

    async def answer(self, job_id: str, order_id: str, terms: RequestTerms) -> Response:
        """Answer 202, or the job where the client prefers to wait and it is stored in time."""
        job = await self._wait_for(job_id, terms.wait) if terms.wait else None
        if job is not None:
            assert job.status is not JobStatus.ACCEPTED  # noqa: S101  it is stored
            applied = {"Preference-Applied": f"wait={terms.wait}", "Location": job.href}
            return job_response(job, applied)
        href = self.urls.job(job_id)
        receipt = Receipt(job_id=job_id, order_id=order_id, href=href)
        return json_response(receipt, 202, {"Location": href, **RETRY_SOON})

    async def _wait_for(self, job_id: str, seconds: float) -> Job | None:
        """Return the job once it is stored; None where it isn't in time, or can't be read."""
        document = await self.waiter.stored(job_id, seconds)
        if document is None:
            return None
        # The command was accepted, so a job that can't be read leads to 202 and not to an error.
        with suppress(DatabaseUnavailable, UnreadableDocument, ProblemError):
            return await self.jobs.of_document(document)
        return None
