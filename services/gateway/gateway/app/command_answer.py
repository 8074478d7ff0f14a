"""The answer to a command that was accepted: 202, or its job where the client waits for it."""

from __future__ import annotations

import time
from collections.abc import Awaitable
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
from order_contracts.job import Enrichment, Job, JobStatus
from order_contracts.problem import Receipt


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """Answers for accepted commands; never takes an acceptance back."""

    urls: Urls
    stored: JobWaiter
    enriched: JobWaiter
    jobs: JobReader

    async def answer(self, job_id: str, order_id: str, terms: RequestTerms) -> Response:
        """
        Answer 202, or the job where the client prefers to wait and it is stored in time.

        A job that is to be enriched by then, and isn't, is answered with 202. Preference-Applied
        names what came in time.
        """
        deadline = time.monotonic() + terms.wait
        job = await self._stored(job_id, terms.wait) if terms.wait else None
        if job is None:
            href = self.urls.job(job_id)
            receipt = Receipt(job_id=job_id, order_id=order_id, href=href)
            return json_response(receipt, 202, {"Location": href, **RETRY_SOON})
        assert job.status is not JobStatus.ACCEPTED  # noqa: S101  it is stored
        applied = {"Preference-Applied": f"wait={terms.wait}", "Location": job.href}
        if not terms.until_enriched:
            return job_response(job, applied)
        job = await self._enriched(job, deadline - time.monotonic())
        if _is_pending(job):
            return json_response(job, 202, {**applied, **RETRY_SOON})
        applied["Preference-Applied"] += ", until=enriched"
        return job_response(job, applied)

    async def _stored(self, job_id: str, seconds: float) -> Job | None:
        """Return the job once it is stored; None where it isn't in time, or can't be read."""
        document = await self.stored.wait(job_id, seconds)
        return None if document is None else await _readable(self.jobs.of_document(document))

    async def _enriched(self, job: Job, seconds: float) -> Job:
        """Return *job* once it is enriched; as it was where it isn't in time."""
        if not _is_pending(job):
            return job
        # The job of a repeated command shows how far the first one's is.
        first_id = job.alias_of or job.job_id
        if await self.enriched.wait(first_id, seconds) is None:
            return job
        return await _readable(self.jobs.job(job.job_id)) or job


async def _readable(job: Awaitable[Job]) -> Job | None:
    # The command was accepted, so a job that can't be read leads to 202 and not to an error.
    with suppress(DatabaseUnavailable, UnreadableDocument, ProblemError):
        return await job
    return None


def _is_pending(job: Job) -> bool:
    return job.stages is not None and job.stages.enrichment is Enrichment.PENDING
