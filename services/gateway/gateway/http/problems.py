"""Errors as responses: RFC 9457 problem details, each with a code of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

from gateway import metrics
from gateway.domain.problem_error import RETRY_SOON, ProblemError
from gateway.http.outage_log import log_outage
from order_contracts.decoding import Invalid

MEDIA_TYPE: Final = "application/problem+json"


def problem_response(error: ProblemError, headers: Mapping[str, str] | None = None) -> Response:
    """Return the problem of *error* with its headers and *headers*; counts it as refused."""
    problem = error.problem
    count_refused(problem.code)
    all_headers = {**error.headers, **(headers or {})}
    return Response(problem.to_json(), problem.status, all_headers, media_type=MEDIA_TYPE)


def count_refused(code: str) -> None:
    """Count a request, or a row of a bulk, that is answered with an error."""
    metrics.REFUSED.labels(code).inc()
    log_outage(code)


def invalid_problem(error: Invalid) -> ProblemError:
    """Return the problem of a request that has errors, with all of them."""
    count = len(error.errors)
    detail = f"The request has {count} errors." if count > 1 else "It has an error."
    return ProblemError("ValidationFailed", detail, errors=error.errors)


def method_not_allowed(methods: Iterable[str]) -> ProblemError:
    headers = {"Allow": ", ".join(sorted(methods))}
    return ProblemError("MethodNotAllowed", "This path has no such method.", headers=headers)


def framework_problem(status: int, headers: Mapping[str, str] | None) -> ProblemError:
    """Return the problem for a request that Starlette refuses: there is no such path, or method."""
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return method_not_allowed((headers or {}).get("Allow", "").split(", "))
    return ProblemError("NotFound", "There is nothing at this path.")


def database_unavailable_problem() -> ProblemError:
    detail = "The database gave no answer; try again."
    return ProblemError("DatabaseUnavailable", detail, headers=RETRY_SOON)


def internal_error() -> Response:
    error = ProblemError("InternalError", "Something went wrong here; it was logged.")
    return problem_response(error)
