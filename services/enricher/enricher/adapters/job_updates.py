"""What a decision leaves on its job and in the integration log, as writes that bear repetition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from pymongo import UpdateMany, UpdateOne

from enricher.adapters.bulk_writes import insert_once
from enricher.domain.model import ContactLink, DecidedEvent, HeldAction, HoldState, ReceivedEvent
from enricher.domain.rules import MISSING_CODES
from order_contracts.events import EventType, Missing
from order_contracts.integration_log import log_entry
from order_contracts.job import Action, Enrichment
from order_runtime.documents.integration_log import log_document
from order_runtime.mongo.client import Document


def log_entry_writes(settled: Iterable[DecidedEvent], now: datetime) -> Iterator[UpdateOne]:
    for it in settled:
        event = it.received.event
        for missing in it.decision.log:
            yield log_entry_write(
                missing.code, event.job_id, event.order_id, missing.reference or None, now
            )


def log_entry_write(
    code: str, job_id: str, order_id: str, reference: str | None, now: datetime
) -> UpdateOne:
    said = log_entry(code, job_id=job_id, order_id=order_id, reference=reference, at=now)
    return insert_once(log_document(said))


def enrichment_updates(settled: Iterable[DecidedEvent], now: datetime) -> Iterator[UpdateOne]:
    for it in settled:
        decision = it.decision
        if decision.enrichment is not None:
            state: dict[str, Any] = {"state": str(decision.enrichment), "at": now}
            if decision.action is not None:
                state["action"] = str(decision.action)
            # Decided once: a worker that comes too late with the same event says nothing more.
            undecided = {"_id": it.received.event.job_id, "enrichment": {"$exists": False}}
            yield UpdateOne(undecided, {"$set": {"enrichment": state}, "$unset": {"agreed": ""}})


def held_action_update(held: HeldAction, now: datetime) -> UpdateOne:
    """Return what the end of a held action means for its job."""
    fired = held.state in {HoldState.FIRING, HoldState.FIRED}
    end = Action.FIRED if fired else Action.DROPPED
    was_held = {"_id": held.job_id, "enrichment.action": str(Action.HELD)}
    return UpdateOne(was_held, {"$set": {"enrichment.action": str(end), "enrichment.at": now}})


def forget_action_data(received: ReceivedEvent) -> UpdateMany:
    """
    Return what takes out of its jobs what an order asked for before it was deleted or replaced.

    Nobody needs it any more, and it may be personal. After a replacement only what was handled.
    """
    event = received.event
    before: Document = {
        "_id": {"$ne": event.job_id},
        "orderId": event.order_id,
        "registration": event.registration,
        "action": {"$exists": True},
    }
    if received.kind is EventType.REPLACED:
        before |= {"at": {"$lte": received.accepted_at}, "enrichment": {"$exists": True}}
    return UpdateMany(before, {"$unset": {"action.language": "", "action.data": ""}})


def contact_found_update(link: ContactLink, version: int, now: datetime) -> UpdateMany:
    """
    Return what a contact that was found means for the jobs that lacked it.

    They are those from the one that named it up to *version*. An action that was triggered has
    made no version: it failed, and stays so.
    """
    lacking = {
        "orderId": link.order_id,
        "version": {"$gte": link.contact_version, "$lte": version},
        "enrichment.state": str(Enrichment.CONTACT_MISSING),
    }
    done = {"enrichment.state": str(Enrichment.DONE), "enrichment.at": now}
    return UpdateMany(lacking, {"$set": done})


def resolve_log_entries(order_id: str, still: Sequence[Missing], now: datetime) -> UpdateMany:
    """Return what closes the entries about an order that isn't without it any more."""
    open_entries: Document = {
        "orderId": order_id,
        "code": {"$in": sorted(MISSING_CODES)},
        "resolvedAt": {"$exists": False},
    }
    if still:
        open_entries["$nor"] = [{"code": it.code, "reference": it.reference} for it in still]
    return UpdateMany(open_entries, {"$set": {"resolvedAt": now}})
