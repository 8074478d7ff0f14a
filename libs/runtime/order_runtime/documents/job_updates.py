"""
Every update of a job document after its insertion, with the service that writes it. Pure.

The order-writer inserts jobs (`entry_document`), and replaces one only where a replayed dead letter
is decided anew: then nobody else has written it yet. The enricher writes `agreed` and `enrichment`
and, once an order was deleted or replaced, takes personal data out of `action`. The action-trigger
writes `delivery`. Each update bears being repeated, and changes no field of another service.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from order_contracts.job import Action, Enrichment
from order_runtime.documents.document import Document


class Update(NamedTuple):
    """The filter and the change of one update; the arguments of `UpdateOne` and `UpdateMany`."""

    filter: Document
    change: Document


def commit_action(job_id: str, end: Action, contact_id: str | None) -> Update:
    """Return the enricher's commitment to what becomes of an action, unless there is one."""
    uncommitted = {
        "_id": job_id,
        "enrichment": {"$exists": False},
        "agreed": {"$exists": False},
    }
    return Update(uncommitted, {"$set": {"agreed": {"end": str(end), "contactId": contact_id}}})


def set_enrichment(job_id: str, state: Enrichment, action: Action | None, at: datetime) -> Update:
    """Return the enricher's result for a job; a job that has one keeps it."""
    enrichment: dict[str, Any] = {"state": str(state), "at": at}
    if action is not None:
        enrichment["action"] = str(action)
    undecided = {"_id": job_id, "enrichment": {"$exists": False}}
    return Update(undecided, {"$set": {"enrichment": enrichment}, "$unset": {"agreed": ""}})


def end_held_action(job_id: str, end: Action, at: datetime) -> Update:
    """Return what the enricher writes when a held action was fired or dropped."""
    held = {"_id": job_id, "enrichment.action": str(Action.HELD)}
    return Update(held, {"$set": {"enrichment.action": str(end), "enrichment.at": at}})


def set_contact_found(order_id: str, versions: tuple[int, int], at: datetime) -> Update:
    """
    Return what the enricher writes on the jobs that lacked a contact once it is found.

    *versions* are the first and the last that those jobs made. An action that was triggered by
    itself has made no version: its job failed, and stays so.
    """
    first, last = versions
    lacking = {
        "orderId": order_id,
        "version": {"$gte": first, "$lte": last},
        "enrichment.state": str(Enrichment.CONTACT_MISSING),
    }
    done = {"enrichment.state": str(Enrichment.DONE), "enrichment.at": at}
    return Update(lacking, {"$set": done})


def forget_action_data(
    order_id: str, registration: str | None, *, but: str, replaced_at: datetime | None
) -> Update:
    """
    Return what takes personal data out of an order's jobs, all but the job *but*.

    Written by the enricher: nobody needs the data of actions that a deleted or replaced order
    asked for. *replaced_at* is None for a deletion; after a replacement only those jobs are
    touched whose event was handled and whose command is no younger.
    """
    before: Document = {
        "_id": {"$ne": but},
        "orderId": order_id,
        "registration": registration,
        "action": {"$exists": True},
    }
    if replaced_at is not None:
        before |= {"at": {"$lte": replaced_at}, "enrichment": {"$exists": True}}
    return Update(before, {"$unset": {"action.language": "", "action.data": ""}})


def set_delivery(job_id: str, state: str, at: datetime) -> Update:
    """Return what the action-trigger writes of a delivery, unless a later end is there."""
    not_later = {"_id": job_id, "$nor": [{"delivery.at": {"$gt": at}}]}
    return Update(not_later, {"$set": {"delivery": {"state": state, "at": at}}})
