"""An error as it is answered over HTTP."""

from __future__ import annotations

from order_contracts.base import Message
from order_contracts.errors import FieldError
from order_contracts.job import Job


class Problem(Message):
    """RFC 9457 problem details; `code` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: tuple[FieldError, ...] = ()
    """All errors of a body at once; of more than 1,000 the first, and how many there are."""
    job: Job | None = None
    """The job, where it is a failed one that was asked for."""
    job_id: str | None = None
    """The job that owns the order (OrderExists), or that may still be applied (OutcomeUnknown)."""
    href: str | None = None


class Receipt(Message):
    """The answer 202: accepted, acknowledged by Kafka, to be applied."""

    job_id: str
    status: str = "Accepted"
    order_id: str
    href: str
