"""Idempotent writes of decisions and reconciliations to jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from pymongo import UpdateMany, UpdateOne

from enricher.domain.model import ContactLink, DecidedEvent, HeldAction, HoldState, ReceivedEvent
from order_contracts.events import EventType
from order_contracts.job import Action
from order_runtime.documents import job_updates


def enrichment_updates(decided: Iterable[DecidedEvent], now: datetime) -> Iterator[UpdateOne]:
    for it in decided:
        decision = it.decision
        if decision.enrichment is not None:
            job_id = it.received.event.job_id
            yield UpdateOne(
                *job_updates.set_enrichment(job_id, decision.enrichment, decision.action, now)
            )


def held_action_update(held: HeldAction, now: datetime) -> UpdateOne:
    """Return the update of the job whose held action was fired or dropped."""
    fired = held.state in {HoldState.FIRING, HoldState.FIRED}
    end = Action.FIRED if fired else Action.DROPPED
    return UpdateOne(*job_updates.end_held_action(held.job_id, end, now))


def forget_action_data(received: ReceivedEvent) -> UpdateMany:
    """Return the removal of personal data from the jobs of a deleted or replaced order."""
    event = received.event
    replaced_at = received.accepted_at if received.kind is EventType.REPLACED else None
    return UpdateMany(
        *job_updates.forget_action_data(
            event.order_id, event.registration, but=event.job_id, replaced_at=replaced_at
        )
    )


def contact_found_update(link: ContactLink, version: int, now: datetime) -> UpdateMany:
    """Return the update of the jobs that lacked the contact: from *link*'s version to *version*."""
    versions = (link.contact_version, version)
    return UpdateMany(*job_updates.set_contact_found(link.order_id, versions, now))
