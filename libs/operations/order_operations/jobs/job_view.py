"""Jobs as an operator sees and selects them, without what their commands held. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from order_contracts.job import Enrichment, JobStatus, Stages
from order_operations.json_values import Json, json_of
from order_runtime.documents.document import Document
from order_runtime.documents.jobs import StoredJob, status_of_stored
from order_runtime.documents.senders import sender_or_unknown

CONTACT_MISSING: Final = "ContactMissing"
"""What a job is said to lack whose order has no contact; its document has no failure."""


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Selects the jobs that fit everything that is given."""

    status: JobStatus | None = None
    code: str | None = None
    """Of the failure of those that failed."""
    action: str | None = None
    """The state of the stage `action`."""
    order_id: str | None = None
    since: datetime | None = None

    def where(self) -> Document:
        """Return the filter of a query of jobs; `matches` tells what it can't."""
        failed: Document = {}
        if self.code:
            failed = {"failure": {"$exists": True}, "failure.code": self.code}
        return {**failed, **self.narrowed("at")}

    def narrowed(self, time_field: str) -> Document:
        """Return the conditions on order and time, for documents that have it in *time_field*."""
        order = {"orderId": self.order_id} if self.order_id is not None else {}
        return {**order, time_field: {"$gte": self.since}} if self.since else order

    def matches(self, job: Job) -> bool:
        outcome = job.outcome
        return (
            self.status in {None, outcome.status}
            and self.code in {None, outcome.code}
            and self.action in {None, outcome.action}
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job, and who sent its command."""

    operation: str
    status: str
    enrichment: str
    action: str
    code: str | None
    source: str | None
    client: str | None


@dataclass(frozen=True, slots=True)
class Job:
    job_id: str
    order_id: str | None
    at: datetime
    """When its command was taken."""
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class JobCount:
    """Jobs that have all of this in common."""

    count: int
    outcome: Outcome
    oldest: datetime
    newest: datetime


def job_of(stored: StoredJob) -> Job:
    """Return a job by its document and those of its enrichment and its action's delivery."""
    document, stages = stored.job, stored.stages
    sent_by = sender_or_unknown(document)
    outcome = Outcome(
        operation=document["operation"],
        status=str(status_of_stored(stored)),
        enrichment=str(stages.enrichment),
        action=str(stages.action),
        code=document.get("failure", {}).get("code") or _lacking(stages),
        source=sent_by.source,
        client=sent_by.client,
    )
    return Job(document["_id"], document.get("orderId"), document["at"], outcome)


def row_of(value: Job | JobCount) -> Json:
    """Return *value* for a table or JSON, its outcome among its own fields."""
    fields = json_of(value)
    return {**fields.pop("outcome"), **fields}


def _lacking(stages: Stages) -> str | None:
    return CONTACT_MISSING if stages.enrichment is Enrichment.CONTACT_MISSING else None
