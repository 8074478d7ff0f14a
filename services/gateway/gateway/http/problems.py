"""Errors as answers: RFC 9457 problem details, every one with a code of the contract."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import Response

from gateway import metrics
from order_contracts.errors import STATUS, Failure, FieldError
from order_contracts.job import Job
from order_contracts.problem import Problem

MEDIA_TYPE: Final = "application/problem+json"


class ProblemError(Exception):
    """A request that is answered with a problem."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        status: int | None = None,
        **members: Any,
    ) -> None:
        super().__init__(code)
        self.problem = Problem(
            type=f"urn:ordermill:problem:{code}",
            title=re.sub(r"(?<=[a-z])(?=[A-Z])", " ", code).capitalize(),
            status=status or STATUS[code],
            detail=detail,
            code=code,
            errors=tuple(errors),
            **members,
        )
        self.headers = dict(headers or {})

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """Return the problem as an answer, with *headers* beside its own."""
        metrics.REFUSED.labels(self.problem.code).inc()
        both = {**self.headers, **(headers or {})}
        return Response(self.problem.to_json(), self.problem.status, both, media_type=MEDIA_TYPE)


def failed_job_problem(job: Job, failure: Failure) -> ProblemError:
    """Return the answer of a failed job: the status of its error, and the job itself."""
    return ProblemError(
        failure.code, failure.detail, errors=failure.errors, status=failure.status, job=job
    )


_FRAMEWORK: Final = {HTTPStatus.NOT_FOUND: ("NotFound", "There is nothing at this path.")}


def framework_problem(status: int, headers: Mapping[str, str] | None) -> ProblemError:
    """Return the problem for what the framework refuses by itself."""
    code, detail = _FRAMEWORK.get(
        HTTPStatus(status), ("ValidationFailed", "The request is malformed.")
    )
    return ProblemError(code, detail, headers=headers, status=status)
