"""Problems: their fields by the code of the contract, and the one of a failed job."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.domain.problem_error import RETRY_SOON, ProblemError, failed_job_problem
from order_contracts.errors import STATUS, FieldError, failure
from order_contracts.job import Job, JobStatus

AT = datetime(2025, 11, 28, 10, 0, tzinfo=UTC)
ERROR = FieldError(pointer="/count", code="Invalid", message="Must be less")


def test_a_problem_has_the_fields_of_rfc_9457_by_its_code() -> None:
    error = ProblemError("OrderNotFound", "There is no such order.")
    assert error.problem.model_dump() == {
        "type": "urn:ordermill:problem:OrderNotFound",
        "title": "Order not found",
        "status": 404,
        "detail": "There is no such order.",
        "code": "OrderNotFound",
        "errors": (),
        "job": None,
        "jobId": None,
        "href": None,
    }
    assert (error.headers, str(error)) == ({}, "OrderNotFound")


@pytest.mark.parametrize("code", STATUS)
def test_a_problem_has_the_status_of_its_code(code: str) -> None:
    assert ProblemError(code, "").problem.status == STATUS[code]


def test_a_problem_has_what_it_is_given_besides() -> None:
    error = ProblemError(
        "VersionMismatch",
        "",
        errors=[ERROR],
        headers={"Allow": "GET"},
        status=404,
        job_id="job-1",
        href="https://a.example/job-1",
    )
    assert (error.problem.status, error.problem.errors) == (404, (ERROR,))
    assert (error.problem.job_id, error.problem.href) == ("job-1", "https://a.example/job-1")
    assert error.headers == {"Allow": "GET"}


def test_a_failed_job_is_answered_with_its_failure_and_itself() -> None:
    failed = failure("VersionMismatch", "The order has another version.", errors=(ERROR,))
    job = Job(
        job_id="job-1", status=JobStatus.FAILED, created_at=AT, expires_at=AT, href="https://a/1"
    )
    problem = failed_job_problem(job, failed).problem
    assert (problem.code, problem.status) == ("VersionMismatch", 412)
    assert (problem.detail, problem.errors) == (failed.detail, (ERROR,))
    assert problem.job == job


def test_a_client_is_told_to_repeat_a_request_after_a_second() -> None:
    assert RETRY_SOON == {"Retry-After": "1"}
