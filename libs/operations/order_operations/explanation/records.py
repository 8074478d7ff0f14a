"""What the database holds of an order or a job, read in a fixed number of bounded queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from pymongo.database import Database

from order_contracts.derived_ids import action_id
from order_contracts.topics import COMMANDS
from order_operations.deliveries.endpoint_view import Backlog, Endpoint, endpoint_of
from order_runtime.mongo.client import (
    ACTION_DELIVERIES,
    DEAD_LETTERS,
    ENDPOINTS,
    ENRICHMENTS,
    HELD,
    INTEGRATION_LOG,
    JOBS,
    LINKS,
    ORDERS,
    Document,
)

MOST: Final = 200
"""Documents of each kind that are read, the newest: one order may have very many."""
# What is read, by name: nothing that is personal comes along, whatever documents hold later.
_OF_ORDER: Final = ("version", "deletedAt", "order.status")
_OF_LINK: Final = ("jobId", "missing")
_OF_JOB: Final = (
    *("orderId", "operation", "at", "version", "failure", "aliasOf", "source", "client"),
    *("action.action", "enrichment.state"),
)
_OF_HELD: Final = ("jobId", "state", "until", "action.action")
_OF_DELIVERY: Final = (
    *("jobId", "action", "state", "since", "reason", "dueAt", "createdAt", "round", "parked"),
    *("erasedAt", "attempts.at", "attempts.status", "attempts.durationMs"),
)
_IDLE: Final = Backlog(0, None, None)  # how much waits for an endpoint isn't told here


class Kind(StrEnum):
    """What an id names."""

    ORDER = "order"
    JOB = "job"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be explained."""

    kind: Kind
    id: str
    order_id: str | None
    """None for a command whose order could not be read."""
    job_id: str | None = None
    """Of a job and of a delivery: the job that asked for it."""


@dataclass(frozen=True, slots=True)
class Records:
    """Documents of one order, or of one of its jobs, without what may be personal."""

    subject: Subject
    order: Document | None = None
    link: Document | None = None
    jobs: Sequence[Document] = ()
    """The oldest first; the newest MOST of them."""
    enrichments: Mapping[str, Document] = field(default_factory=dict)
    """By job."""
    held: Mapping[str, Document] = field(default_factory=dict)
    """Actions that wait for a contact, or did, by job."""
    deliveries: Mapping[str, Document] = field(default_factory=dict)
    """By job."""
    log: Sequence[Document] = ()
    """Entries of the integration log, the oldest first."""
    letters: Sequence[Document] = ()
    """Dead letters of its events and actions, the oldest first; jobs tell those of commands."""
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    """By the action that is sent there."""


def find_subject(database: Database[Document], id_: str) -> Subject | None:
    """Return what *id_* names: an order, also one that was only ever refused, before a job."""
    named: dict[str, Any] = {"_id": id_}
    if database[ORDERS].find_one(named, {"_id": 1}) or database[JOBS].find_one(
        {"orderId": id_}, {"_id": 1}
    ):
        return Subject(Kind.ORDER, id_, id_)
    if job := database[JOBS].find_one(named, {"orderId": 1}):
        return Subject(Kind.JOB, id_, job.get("orderId"), id_)
    if delivery := database[ACTION_DELIVERIES].find_one(named, {"orderId": 1, "jobId": 1}):
        return Subject(Kind.DELIVERY, id_, delivery["orderId"], delivery["jobId"])
    return None


def read_records(database: Database[Document], subject: Subject) -> Records:
    """Return what is stored of *subject*: of an order, everything that its newest jobs made."""
    about = {"orderId": subject.order_id} if subject.job_id is None else {"jobId": subject.job_id}
    job = about if subject.job_id is None else {"_id": subject.job_id}
    jobs = _newest(database, JOBS, job, _OF_JOB)
    job_ids = [it["_id"] for it in jobs]
    of_jobs = {"_id": {"$in": job_ids}}
    of_actions = {"_id": {"$in": [action_id(it) for it in job_ids]}}
    return Records(
        subject=subject,
        order=database[ORDERS].find_one({"_id": subject.order_id}, _OF_ORDER),
        link=database[LINKS].find_one({"_id": subject.order_id}, _OF_LINK),
        jobs=jobs,
        enrichments={it["_id"]: it for it in database[ENRICHMENTS].find(of_jobs)},
        held=_by_job(database[HELD].find(of_actions, _OF_HELD)),
        deliveries=_by_job(database[ACTION_DELIVERIES].find(of_actions, _OF_DELIVERY)),
        log=_newest(database, INTEGRATION_LOG, about),
        letters=_letters(database, subject),
        endpoints=_endpoints(database),
    )


def _letters(database: Database[Document], subject: Subject) -> list[Document]:
    """Return the letters among the newest of the order; its index has them in their order."""
    known = subject.order_id is not None
    about = {"orderId": subject.order_id} if known else {"jobId": subject.job_id}
    return [
        it
        for it in _newest(database, DEAD_LETTERS, about)
        if it["topic"] != COMMANDS.name and subject.job_id in {None, it.get("jobId")}
    ]


def _newest(
    database: Database[Document],
    collection: str,
    where: Document,
    fields: Sequence[str] | None = None,
) -> list[Document]:
    found = database[collection].find(where, fields)
    return list(found.sort([("at", -1), ("_id", -1)]).limit(MOST))[::-1]


def _by_job(found: Any) -> dict[str, Document]:
    return {it["jobId"]: it for it in found}


def _endpoints(database: Database[Document]) -> dict[str, Endpoint]:
    used = database[ENDPOINTS].find({"actions.0": {"$exists": True}})
    return {action: endpoint_of(it, _IDLE) for it in used for action in it["actions"]}
