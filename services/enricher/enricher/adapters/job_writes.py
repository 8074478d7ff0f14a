"""Idempotent writes of decisions and reconciliations to jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from pymongo import UpdateMany, UpdateOne

from enricher.domain.batch import Batch
from enricher.domain.model import ContactLink, DecidedEvent, HeldAction, HoldState
from order_contracts.job import Action
from order_runtime.documents import job_updates
from order_runtime.documents.job_updates import NewEnrichment
from order_runtime.mongo.client import ENRICHMENTS, JOBS, Document

PLACES: Final = ((ENRICHMENTS, ""), (JOBS, job_updates.IN_JOB))
"""The collections that have enrichments, and where their documents have them."""


def enrichment_documents(decided: Iterable[DecidedEvent], now: datetime) -> Iterator[Document]:
    """Yield the enrichments of the jobs of *decided*, to be inserted once all else is done."""
    for it in decided:
        received, decision = it.received, it.decision
        if decision.enrichment is not None:
            new = NewEnrichment(
                job_id=received.event.job_id,
                order_id=received.event.order_id,
                version=received.event.version,
                state=decision.enrichment,
                action=decision.action,
                accepted_at=received.accepted_at,
            )
            yield job_updates.enrichment_document(new, now)


def lost_action_updates(batch: Batch, now: datetime) -> Iterator[UpdateOne]:
    """Yield the updates of jobs whose action was fired, was lost, and ends as dropped now."""
    for it in batch.decided:
        job_id = it.received.event.job_id
        if job_id in batch.snapshot.jobs.fired and it.decision.action is Action.DROPPED:
            yield UpdateOne(*job_updates.drop_fired_action(job_id, now))


def held_action_update(held: HeldAction, now: datetime, place: str) -> UpdateOne:
    """Return the update of the job whose held action was fired or dropped; *place* as in PLACES."""
    fired = held.state in {HoldState.FIRING, HoldState.FIRED}
    end = Action.FIRED if fired else Action.DROPPED
    return UpdateOne(*job_updates.end_held_action(held.job_id, end, now, place))


def contact_found_update(link: ContactLink, version: int, now: datetime, place: str) -> UpdateMany:
    """
    Return the update of the jobs that lacked the contact: from *link*'s version to *version*.

    *place* as in PLACES.
    """
    versions = (link.contact_version, version)
    return UpdateMany(*job_updates.set_contact_found(link.order_id, versions, now, place))
