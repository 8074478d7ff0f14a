"""
The job at rest: the ledger of all commands that were ever applied or refused.

One document a command, `_id` its job id. Three services share it, each with fields of its own: the
order-writer inserts it; the enricher adds `agreed` `{end, contactId?}`, its commitment to what
becomes of the action, and then `enrichment` `{state, action?, at}`; the action-trigger adds
`delivery` `{state, at}`. All updates after the insertion are in `job_updates`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from order_contracts.decoding import at_rest
from order_contracts.derived_ids import version_tag
from order_contracts.errors import Failure, failure
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
from order_runtime.documents.document import Document, field, optional

RETENTION: Final = timedelta(days=30)
_CONNECTED: Final = frozenset({Operation.REGISTER, Operation.REPLACE})


@dataclass(frozen=True, slots=True)
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
    )


def stages_of(document: Document) -> Stages:
    """Return how far a job is: what each service wrote, else what is still to come."""
    if "failure" in document:
        return Stages(storage=Storage.FAILED, enrichment=Enrichment.SKIPPED)
    enriched, delivered = document.get("enrichment", {}), document.get("delivery", {})
    acts = "action" in document
    # A stale replacement made no version: there is nothing to connect.
    waits = acts or ("version" in document and Operation(document["operation"]) in _CONNECTED)
    enrichment = enriched.get("state", Enrichment.PENDING if waits else Enrichment.SKIPPED)
    asked = Action.PENDING if acts else Action.NONE
    action = delivered.get("state") or enriched.get("action") or asked
    return Stages(storage=Storage.DONE, enrichment=Enrichment(enrichment), action=Action(action))


def job_of(document: Document, *, created_at: datetime, href: str, order_href: str | None) -> Job:
    """Return a job as it is answered; `order_href` is None where the order is gone."""
    entry, stages = entry_of(document), stages_of(document)
    status = status_of(stages, entry.operation)
    touched = [document[part]["at"] for part in ("enrichment", "delivery") if part in document]
    done = stages.storage is Storage.DONE
    return Job(
        job_id=entry.job_id,
        order_id=entry.order_id,
        operation=entry.operation,
        status=status,
        stages=stages,
        errors=errors_of(entry, stages),
        warnings=entry.warnings,
        version_tag=version_tag(entry.job_id) if done and entry.version is not None else None,
        created_at=created_at,
        updated_at=max([entry.at, *touched]),
        expires_at=created_at + RETENTION,
        href=href,
        order=Link(href=order_href) if order_href else None,
    )


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
