"""The job: what became of one command. Its status is a pure function of its stages."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import Final

from order_contracts.base import Message
from order_contracts.errors import Failure
from order_contracts.integration_log import DropReason
from order_contracts.values import Time


class Operation(StrEnum):
    """What a job's command asked for; the names are those of the commands."""

    REGISTER = "RegisterOrder"
    REPLACE = "ReplaceOrder"
    DELETE = "DeleteOrder"
    CHANGE_STATUS = "ChangeOrderStatus"
    CHANGE_DELIVERY = "ChangeOrderDelivery"
    ACTION = "TriggerOrderAction"
    UNKNOWN = "Unknown"  # a record that could not be read


class Storage(StrEnum):
    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"


class Enrichment(StrEnum):
    PENDING = "pending"
    DONE = "done"
    CONTACT_MISSING = "contactMissing"
    SUPERSEDED = "superseded"  # the order was replaced or deleted before it was looked at
    SKIPPED = "skipped"  # nothing to connect


class Action(StrEnum):
    NONE = "none"
    PENDING = "pending"
    HELD = "held"  # until the contact exists
    FIRED = "fired"
    DELIVERED = "delivered"
    FAILED = "failed"
    DROPPED = "dropped"


class JobStatus(StrEnum):
    ACCEPTED = "Accepted"
    COMPLETED = "Completed"
    COMPLETED_WITH_ERRORS = "CompletedWithErrors"
    FAILED = "Failed"


class Stages(Message):
    storage: Storage = Storage.PENDING
    enrichment: Enrichment = Enrichment.PENDING
    action: Action = Action.NONE


class JobWarning(Message):
    """Something to mend in the data; the command was applied all the same."""

    code: str
    message: str
    reference: str | None = None
    reason: DropReason | None = None
    """Of ActionDropped."""
    at: Time | None = None
    """When it was found out; None for what was found when the command was applied."""


class Link(Message):
    href: str


class Job(Message):
    """
    A job as it is answered.

    Before its command is applied only jobId, status, createdAt, expiresAt and href are known.
    """

    job_id: str
    order_id: str | None = None
    operation: Operation | None = None
    status: JobStatus
    stages: Stages | None = None
    errors: tuple[Failure, ...] | None = None
    warnings: tuple[JobWarning, ...] | None = None
    version_tag: str | None = None
    alias_of: str | None = None
    created_at: Time
    updated_at: Time | None = None
    expires_at: Time
    href: str
    order: Link | None = None


def status_of(stages: Stages, operation: Operation) -> JobStatus:
    """Return the status that *stages* make; it is computed wherever it is shown, never stored."""
    if stages.storage is not Storage.DONE:
        return _BEFORE_STORED[stages.storage]
    if stages.enrichment is Enrichment.CONTACT_MISSING:
        failed = operation is Operation.ACTION
        return JobStatus.FAILED if failed else JobStatus.COMPLETED_WITH_ERRORS
    return JobStatus.COMPLETED


_BEFORE_STORED: Final = MappingProxyType(
    {Storage.PENDING: JobStatus.ACCEPTED, Storage.FAILED: JobStatus.FAILED}
)
