"""Messages and jobs as responses."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from gateway.domain.problem_error import RETRY_SOON, failed_job_problem
from gateway.http.problems import problem_response
from order_contracts.base import Message
from order_contracts.job import Job, JobStatus


def json_response(
    message: Message, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return *message* as JSON."""
    return Response(message.to_json(), status, headers, media_type="application/json")


def job_response(job: Job, headers: Mapping[str, str] | None = None) -> Response:
    """Return a job; a failed one as the problem of its first error, with the job as a member."""
    if job.status is JobStatus.FAILED and job.errors:
        return problem_response(failed_job_problem(job, job.errors[0]), headers)
    retry = RETRY_SOON if job.status is JobStatus.ACCEPTED else {}
    return json_response(job, headers={**retry, **(headers or {})})
