"""
The job at rest: the ledger of all commands that were ever applied or refused.

One document a command, `_id` its job id, inserted by the order-writer. What became of it since is
read from other collections: from `enrichments`, by the same `_id`, and from `deliveries`, by the id
of its action. What is written about a job after its insertion is in `job_updates`.

Jobs of earlier releases have it inside: `enrichment` `{state, action?, at}`, `delivery`
`{state, at}`, and `agreed` `{end, contactId?}`. It counts where the other collections have nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from order_contracts.decoding import at_rest
from order_contracts.derived_ids import version_tag
from order_contracts.errors import Failure, failure
from order_contracts.frozen import frozen
from order_contracts.integration_log import ACTION_DROPPED, DropReason, drop_message
from order_contracts.job import (
    Action,
    Enrichment,
    Job,
    JobStatus,
    JobWarning,
    Link,
    Operation,
    Stages,
    Storage,
    status_of,
)
from order_contracts.order import ActionRequest
from order_runtime.documents.deliveries import DROPPED, outcome_of
from order_runtime.documents.document import Document, field, optional
from order_runtime.documents.senders import UNKNOWN, Sender, sender_of

RETENTION: Final = timedelta(days=30)
_CONNECTED: Final = (Operation.REGISTER, Operation.REPLACE)


@frozen()
class LedgerEntry:
    """What the order-writer knows of one command, for ever."""

    job_id: str
    order_id: str | None
    operation: Operation
    fingerprint: str
    """Of type, orderId, data and preconditions: the same id with another one is another command."""
    at: datetime
    """When the broker took the command."""
    version: int | None = None
    """The version it made; None where it made none."""
    registration: str | None = None
    """The job that registered the order which the command met: one for each life of an orderId."""
    failure: Failure | None = None
    action: ActionRequest | None = None
    warnings: tuple[JobWarning, ...] = ()
    alias_of: str | None = None
    """The job of the same command under the same Idempotency-Key, which this one repeats."""
    decoded: bool = True
    """False where the record could not be read or applied; a replay may then decide it anew."""
    raw: str | None = None
    """Of the bytes, where they were not decoded at first: so its dead letter is known again."""
    sender: Sender = UNKNOWN


def entry_document(entry: LedgerEntry) -> Document:
    """Return the document of a new job; what is absent is left out."""
    document: Document = {
        "_id": entry.job_id,
        "orderId": entry.order_id,
        "operation": str(entry.operation),
        "fingerprint": entry.fingerprint,
        "at": entry.at,
        "expireAt": entry.at + RETENTION,
        "version": entry.version,
        "registration": entry.registration,
        "failure": entry.failure and entry.failure.model_dump(exclude_none=True),
        "action": entry.action and entry.action.model_dump(exclude_none=True),
        "warnings": [warning.model_dump(exclude_none=True) for warning in entry.warnings],
        "aliasOf": entry.alias_of,
        "undecoded": None if entry.decoded else True,
        "raw": entry.raw,
        **entry.sender.fields(),
    }
    return {name: value for name, value in document.items() if value not in (None, [])}


def entry_of(document: Document) -> LedgerEntry:
    """Return the ledger's entry of a job document; raises what says that it can't be read."""
    return LedgerEntry(
        job_id=field(document, "_id", str),
        order_id=optional(document, "orderId", str),
        operation=Operation(document["operation"]),
        fingerprint=field(document, "fingerprint", str),
        at=field(document, "at", datetime),
        version=optional(document, "version", int),
        registration=optional(document, "registration", str),
        failure=at_rest(Failure, document["failure"]) if "failure" in document else None,
        action=at_rest(ActionRequest, document["action"]) if "action" in document else None,
        warnings=tuple(at_rest(JobWarning, warning) for warning in document.get("warnings", ())),
        alias_of=optional(document, "aliasOf", str),
        decoded="undecoded" not in document,
        raw=optional(document, "raw", str),
        sender=sender_of(document),
    )


class StoredJob(NamedTuple):
    """A job's document with what is stored of its enrichment and of its action's delivery."""

    job: Document
    enrichment: Document | None = None
    delivery: Document | None = None
    logged: Sequence[JobWarning] = ()
    """What the integration log warns of; it is read where jobs are answered."""

    @property
    def enriched(self) -> bool:
        return self.enrichment is not None or "enrichment" in self.job

    @property
    def stages(self) -> Stages:
        return stages_of(self.job, self.enrichment, self.delivery)


def awaits_enrichment(job: Document) -> bool:
    """Return whether a job is to be enriched, whether it was or not."""
    if "failure" in job:
        return False
    # A stale replacement made no version: there is nothing to connect.
    return "action" in job or ("version" in job and job.get("operation") in _CONNECTED)


def stages_of(
    job: Document, enrichment: Document | None = None, delivery: Document | None = None
) -> Stages:
    """Return how far a job is: what each service wrote, else what is still to come."""
    if "failure" in job:
        return Stages(storage=Storage.FAILED, enrichment=Enrichment.SKIPPED)
    enriched = _enrichment(job, enrichment)
    pending = Enrichment.PENDING if awaits_enrichment(job) else Enrichment.SKIPPED
    outcome = _outcome(job, delivery)
    asked = Action.PENDING if "action" in job else Action.NONE
    action = outcome[0] if outcome else enriched.get("action", asked)
    state = Enrichment(enriched.get("state", pending))
    return Stages(storage=Storage.DONE, enrichment=state, action=Action(action))


def status_of_stored(of: StoredJob) -> JobStatus:
    """Return the status of a job that is stored."""
    return status_of(of.stages, Operation(of.job["operation"]))


def _enrichment(job: Document, enrichment: Document | None) -> Document:
    """Return what enrichment found; empty where it has not yet."""
    return enrichment or optional(job, "enrichment", dict) or {}


def _outcome(job: Document, delivery: Document | None) -> tuple[str, datetime] | None:
    """Return the state of an action's delivery, and since when; None until there is one."""
    if delivery is not None:
        return outcome_of(delivery)
    inside = optional(job, "delivery", dict)
    return None if inside is None else (inside["state"], inside["at"])


def job_of(of: StoredJob, *, created_at: datetime, href: str, order_href: str | None) -> Job:
    """Return a job as it is answered; `order_href` is None where the order is gone."""
    entry, stages = entry_of(of.job), of.stages
    done = stages.storage is Storage.DONE
    return Job(
        job_id=entry.job_id,
        order_id=entry.order_id,
        operation=entry.operation,
        status=status_of(stages, entry.operation),
        stages=stages,
        errors=errors_of(entry, stages),
        warnings=(*entry.warnings, *of.logged, *_warnings_of_delivery(of.delivery)),
        version_tag=version_tag(entry.job_id) if done and entry.version is not None else None,
        created_at=created_at,
        updated_at=max(_changes(of)),
        expires_at=created_at + RETENTION,
        href=href,
        order=Link(href=order_href) if order_href else None,
    )


def _warnings_of_delivery(delivery: Document | None) -> Iterator[JobWarning]:
    outcome = None if delivery is None else outcome_of(delivery)
    if outcome is not None and outcome[0] == DROPPED:
        reason = DropReason.CONTACT_ERASED  # nothing else drops what was fired
        message = drop_message(reason)
        yield JobWarning(code=ACTION_DROPPED, message=message, reason=reason, at=outcome[1])


def _changes(of: StoredJob) -> Iterator[datetime]:
    """Yield when a job was stored, enriched, and its action's delivery ended."""
    yield field(of.job, "at", datetime)
    if enriched := _enrichment(of.job, of.enrichment):
        yield enriched["at"]
    if outcome := _outcome(of.job, of.delivery):
        yield outcome[1]


def errors_of(entry: LedgerEntry, stages: Stages) -> tuple[Failure, ...]:
    """Return why a job failed, or what its completion lacks."""
    if entry.failure is not None:
        return (entry.failure,)
    if stages.enrichment is Enrichment.CONTACT_MISSING:
        detail = "The order's contact does not exist, so no action can be sent."
        return (failure("ContactMissing", detail),)
    return ()


def accepted_job(job_id: str, *, created_at: datetime, href: str) -> Job:
    """Return the job of a command that was accepted and is not yet known to be applied."""
    return Job(
        job_id=job_id,
        status=JobStatus.ACCEPTED,
        created_at=created_at,
        expires_at=created_at + RETENTION,
        href=href,
    )
