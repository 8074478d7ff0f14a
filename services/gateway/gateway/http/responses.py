"""Messages and jobs as responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.domain.problem_error import RETRY_SOON, failed_job_problem
from gateway.http.problems import problem_response
from order_contracts.base import Message
from order_contracts.job import Job, JobStatus

PART_BYTES: Final = 64 * 1024
_JSON: Final = (b"content-type", b"application/json")


class JsonResponse(Response):
    """Sends a large body in parts, each when the client has taken the one before."""

    media_type = "application/json"

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        given = (headers or {}).items()
        self.raw_headers = [
            _JSON,
            (b"content-length", b"%d" % len(self.body)),
            *[(name.lower().encode(), value.encode("latin-1")) for name, value in given],
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if len(self.body) <= PART_BYTES:
            await super().__call__(scope, receive, send)
            return
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        for at in range(0, len(self.body), PART_BYTES):
            part, more = self.body[at : at + PART_BYTES], at + PART_BYTES < len(self.body)
            await send({"type": "http.response.body", "body": part, "more_body": more})


def json_response(
    message: Message, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return *message* as JSON."""
    return JsonResponse(message.to_json(), status, headers)


def job_response(job: Job, headers: Mapping[str, str] | None = None) -> Response:
    """Return a job; a failed one as the problem of its first error, with the job as a member."""
    if job.status is JobStatus.FAILED and job.errors:
        return problem_response(failed_job_problem(job, job.errors[0]), headers)
    retry = RETRY_SOON if job.status is JobStatus.ACCEPTED else {}
    return json_response(job, headers={**retry, **(headers or {})})
