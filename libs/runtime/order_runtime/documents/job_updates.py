"""
Everything that is written about a job after its insertion, all of it by the enricher. Pure.

The order-writer inserts jobs (`entry_document`), and replaces one only where a replayed dead letter
is decided anew: then nobody else has written about it yet. The enricher inserts into collections of
its own, each document with the job's id as `_id`: into `agreements` what is to become of the
action, and into `enrichments` what was found. It changes an enrichment where a held action ended,
the contact came, or an action was lost. In `jobs` it takes what is personal out of the actions of
orders that ended. By `unfinished_jobs` operators have it handle jobs again.

Everything bears being repeated. An insertion that meets a document of the same id has no effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from order_contracts.integration_log import DropReason
from order_contracts.job import Action, Enrichment
from order_runtime.documents.document import Document
from order_runtime.documents.jobs import RETENTION

ENRICHMENTS_KEPT: Final = RETENTION + timedelta(days=1)
"""Counted like a job's retention: a job that outlived its enrichment would be enriched again."""
AGREEMENTS_KEPT: Final = RETENTION + timedelta(days=3)
"""An event that is read again must not be decided otherwise while its job or enrichment is left."""

IN_JOB: Final = "enrichment."
"""Where jobs of earlier releases have the fields of an enrichment."""
AGAIN: Final = "again"
"""The field of a job in `unfinished_jobs` that is to be handled again although it was finished."""
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
HAS_PERSONAL_DATA: Final[Mapping[str, Any]] = {
    "$or": [{"action.data": {"$exists": True}}, {"action.language": {"$exists": True}}]
}
"""Selects the jobs whose actions have what may be personal; the filter of an index as well."""


class Update(NamedTuple):
    """The filter and the change of one update; the arguments of `UpdateOne` and `UpdateMany`."""

    filter: Document
    change: Document


class NewAgreement(NamedTuple):
    """What is to become of a job's action; the first agreement that is inserted counts."""

    job_id: str
    end: Action
    contact_hash: str | None
    """
    The keyed hash of the contact that it is fired for: the agreement is kept for longer than a
    contact that is erased may be named.
    """
    reason: DropReason | None
    """Why it is dropped."""
    accepted_at: datetime


class NewEnrichment(NamedTuple):
    """What enrichment found of a job."""

    job_id: str
    order_id: str
    version: int | None
    """The version that the job's command made; None where it asked for an action alone."""
    state: Enrichment
    action: Action | None
    accepted_at: datetime
    """When the command was accepted: the job's `at`, by which lists are sorted."""


def agreement_document(new: NewAgreement) -> Document:
    """Return the document of an agreement; what is absent is left out."""
    document: Document = {
        "_id": new.job_id,
        "end": str(new.end),
        "contact": new.contact_hash,
        "reason": new.reason and str(new.reason),
        "expireAt": new.accepted_at + AGREEMENTS_KEPT,
    }
    return {name: value for name, value in document.items() if value is not None}


def enrichment_document(new: NewEnrichment, at: datetime) -> Document:
    """Return what was found of a job, *at* a time; a job that has an enrichment keeps it."""
    document: Document = {
        "_id": new.job_id,
        "orderId": new.order_id,
        "version": new.version,
        "state": str(new.state),
        "action": new.action and str(new.action),
        "acceptedAt": new.accepted_at,
        "at": at,
        "expireAt": new.accepted_at + ENRICHMENTS_KEPT,
    }
    if new.state is Enrichment.CONTACT_MISSING:
        # For lists by status: without a version the command asked for an action, and failed.
        document["fails"] = new.version is None
    return {name: value for name, value in document.items() if value is not None}


def end_held_action(job_id: str, end: Action, at: datetime, place: str = "") -> Update:
    """
    Return what says that a held action was fired or dropped, in the enrichment of its job.

    *place* is IN_JOB for the jobs of earlier releases.
    """
    held = {"_id": job_id, f"{place}action": str(Action.HELD)}
    return Update(held, {"$set": {f"{place}action": str(end), f"{place}at": at}})


def drop_fired_action(job_id: str, at: datetime) -> Update:
    """Return what says that an action that nobody received can't be fired again."""
    fired = {"_id": job_id, "action": str(Action.FIRED)}
    return Update(fired, {"$set": {"action": str(Action.DROPPED), "at": at}})


def set_contact_found(
    order_id: str, versions: tuple[int, int], at: datetime, place: str = ""
) -> Update:
    """
    Return what says that the contact was found, in the enrichments of the jobs that lacked it.

    *versions* are the first and the last that those jobs made. An action that was triggered by
    itself has made no version: its job failed, and stays so. *place* is IN_JOB for the jobs of
    earlier releases.
    """
    first, last = versions
    lacking = {
        "orderId": order_id,
        "version": {"$gte": first, "$lte": last},
        f"{place}state": str(Enrichment.CONTACT_MISSING),
    }
    return Update(lacking, {"$set": {f"{place}state": str(Enrichment.DONE), f"{place}at": at}})


def forget_action_data(job_ids: Sequence[str]) -> Update:
    """Return what takes data and language out of the actions of these jobs."""
    named = {"_id": {"$in": list(job_ids)}}
    return Update(named, {"$unset": {"action.language": "", "action.data": ""}})


def handle_again(job_id: str, expire_at: datetime) -> Update:
    """Return the upsert that has the enricher's next sweep handle a job again."""
    noted = {"since": _LONG_AGO, "expireAt": expire_at, AGAIN: True}
    return Update({"_id": job_id}, {"$set": noted})


def forget_agreed(job_ids: Sequence[str]) -> Update:
    """Return what takes the agreement, which names a contact, out of jobs of earlier releases."""
    return Update({"_id": {"$in": list(job_ids)}}, {"$unset": {"agreed": ""}})
