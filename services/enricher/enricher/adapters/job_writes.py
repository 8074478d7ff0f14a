"""Idempotent writes of decisions and reconciliations to jobs and to the integration log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from pymongo import UpdateMany, UpdateOne

from enricher.adapters.bulk_writes import insert_once
from enricher.domain.linking import MISSING_CODES
from enricher.domain.model import ContactLink, DecidedEvent, HeldAction, HoldState
from order_contracts.events import Missing
from order_contracts.integration_log import log_entry
from order_contracts.job import Action
from order_runtime.documents import job_updates
from order_runtime.documents.integration_log import log_document
from order_runtime.documents.job_updates import NewEnrichment
from order_runtime.mongo.client import ENRICHMENTS, JOBS, Document

PLACES: Final = ((ENRICHMENTS, ""), (JOBS, job_updates.IN_JOB))
"""The collections that have enrichments, and where their documents have them."""


def log_entry_writes(decided: Iterable[DecidedEvent], now: datetime) -> Iterator[UpdateOne]:
    for it in decided:
        event = it.received.event
        for missing in it.decision.log:
            yield log_entry_write(
                missing.code, event.job_id, event.order_id, missing.reference or None, now
            )


def log_entry_write(
    code: str, job_id: str, order_id: str, reference: str | None, now: datetime
) -> UpdateOne:
    entry = log_entry(code, job_id=job_id, order_id=order_id, reference=reference, at=now)
    return insert_once(log_document(entry))


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


def resolve_log_entries(order_id: str, still: Sequence[Missing], now: datetime) -> UpdateMany:
    """Return the update that resolves an order's open entries, but for those *still* missing."""
    open_entries: Document = {
        "orderId": order_id,
        "code": {"$in": sorted(MISSING_CODES)},
        "resolvedAt": {"$exists": False},
    }
    if still:
        open_entries["$nor"] = [{"code": it.code, "reference": it.reference} for it in still]
    return UpdateMany(open_entries, {"$set": {"resolvedAt": now}})
