"""The exception for a request that is answered with a problem (RFC 9457). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from order_contracts.errors import STATUS, Failure, FieldError
from order_contracts.job import Job
from order_contracts.problem import Problem

RETRY_SOON: Final[Mapping[str, str]] = MappingProxyType({"Retry-After": "1"})
"""The header, in seconds, of answers that are likely to differ when the request is repeated."""
_WORD_BOUNDARY: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


class ProblemError(Exception):
    """
    Holds the problem and the headers to answer with.

    The status is that of the code in the contract, unless *status* says otherwise. *members* are
    further fields of the problem.
    """

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
            title=_WORD_BOUNDARY.sub(" ", code).capitalize(),
            status=status or STATUS[code],
            detail=detail,
            code=code,
            errors=tuple(errors),
            **members,
        )
        self.headers = dict(headers or {})


def failed_job_problem(job: Job, failure: Failure) -> ProblemError:
    """Return the answer to who asks for a failed job: its failure, with the job as a member."""
    return ProblemError(
        failure.code, failure.detail, errors=failure.errors, status=failure.status, job=job
    )
