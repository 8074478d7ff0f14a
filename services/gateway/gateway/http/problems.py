"""Errors as responses: RFC 9457 problem details, each with a code of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from gateway import metrics
from gateway.domain.problem_error import ProblemError

MEDIA_TYPE: Final = "application/problem+json"


def problem_response(error: ProblemError, headers: Mapping[str, str] | None = None) -> Response:
    """Return the problem of *error* with its headers and *headers*; counts it as refused."""
    problem = error.problem
    metrics.REFUSED.labels(problem.code).inc()
    all_headers = {**error.headers, **(headers or {})}
    return Response(problem.to_json(), problem.status, all_headers, media_type=MEDIA_TYPE)


def framework_problem(status: int, headers: Mapping[str, str] | None) -> ProblemError:
    """Return the problem for a request that Starlette refuses with *status*."""
    if status == HTTPStatus.NOT_FOUND:
        return ProblemError("NotFound", "There is nothing at this path.", headers=headers)
    detail = "The request is malformed."
    return ProblemError("ValidationFailed", detail, headers=headers, status=status)


def internal_error() -> Response:
    error = ProblemError("InternalError", "Something went wrong here; it was logged.")
    return problem_response(error)
