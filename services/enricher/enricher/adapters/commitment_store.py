"""
What is to become of an action: agreed on before anything is done about it.

A worker may sleep after any of its steps until another one has taken over and done everything. So
whoever decides says it first, on the job, by compare-and-set; and whoever finds something else said
reads and decides anew, and does what was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pymongo import UpdateOne
from pymongo.asynchronous.collection import AsyncCollection

from enricher.adapters import bulk_writes
from enricher.domain.contact_matching import MISSING, KnownContact
from enricher.domain.model import (
    Commitment,
    ContactLink,
    DecidedEvent,
    Decision,
    HoldWindow,
    ReceivedEvent,
    ReferenceFacts,
)
from enricher.domain.rules import CONNECTED, DROPPED, dropped, fired, hold_of, unknown_contact
from order_contracts.events import EventType
from order_contracts.job import Action, Enrichment
from order_runtime.documents import job_updates
from order_runtime.mongo.client import Document


async def record_commitments(
    jobs: AsyncCollection[Document], settled: Sequence[DecidedEvent]
) -> bool:
    """Say on the jobs what is to become of their actions; return whether nothing else was said."""
    ends = {
        it.received.event.job_id: agreement
        for it in settled
        if it.received.commitment is None and (agreement := it.decision.agreement)
    }
    if not ends:
        return True
    await bulk_writes.bulk_write(jobs, [_saying(job_id, it) for job_id, it in ends.items()])
    found = jobs.find({"_id": {"$in": list(ends)}}, ["agreed"])
    said = {
        it["_id"]: commitment_of(it["agreed"]) if "agreed" in it else None async for it in found
    }
    return all(ends[job_id] == it for job_id, it in said.items())


def _saying(job_id: str, commitment: Commitment) -> UpdateOne:
    """Return the write that says it, if nothing was said yet."""
    return UpdateOne(*job_updates.commit_action(job_id, commitment.end, commitment.contact_id))


def commitment_of(document: Document) -> Commitment:
    return Commitment(Action(document["end"]), document.get("contactId"))


def apply_commitment(
    received: ReceivedEvent,
    decision: Decision,
    link: ContactLink | None,
    facts: ReferenceFacts,
    window: HoldWindow,
) -> Decision:
    """
    Return the decision with the end of the action that was said by whoever came first.

    By now the order may be gone, its contact known, or not found by that key any more: a worker
    that wakes after a pause, or takes over from one that died, would decide otherwise.
    """
    commitment = received.commitment
    if commitment is None or decision.agreement == commitment:
        return decision
    log = tuple(missing for missing in decision.log if missing.code != DROPPED)
    without_action = replace(decision, action=None, hold=None, fire=None, log=log)
    match commitment.end:
        case Action.HELD:
            hold = hold_of(received, _connected_at(received, link), window)
            return replace(without_action, action=Action.HELD, hold=hold)
        case Action.FIRED if commitment.contact_id is not None and received.event.order is not None:
            return _fired_as_agreed(received, without_action, facts.contact(commitment.contact_id))
        case Action.DROPPED:
            return _dropped_as_agreed(received, without_action)
        case _:
            return decision


def _fired_as_agreed(
    received: ReceivedEvent, decision: Decision, contact: KnownContact
) -> Decision:
    alone = fired(received, contact, Enrichment.SUPERSEDED)
    if received.kind is EventType.ACTION_REQUESTED:
        return alone
    return replace(decision, action=alone.action, fire=alone.fire)


def _dropped_as_agreed(received: ReceivedEvent, decision: Decision) -> Decision:
    order = received.event.order
    if received.kind is EventType.ACTION_REQUESTED and order is not None:
        return unknown_contact(order, MISSING)  # why else, since the order is there
    return dropped(decision)


def _connected_at(received: ReceivedEvent, link: ContactLink | None) -> int | None:
    """Return the version at which the order that was changed got its link; None if it's gone."""
    version = received.event.version
    if received.kind in CONNECTED or version is None:
        return version
    return link.contact_version if link is not None and link.contact_version <= version else None
