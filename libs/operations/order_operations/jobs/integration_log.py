"""The integration log as an operator reads it: its entries, and how many there are of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pymongo import DESCENDING
from pymongo.database import Database

from order_operations.connections.mongo_client import bounded_database
from order_operations.connections.system_address import MongoAddress
from order_operations.jobs.document_rows import readable_rows
from order_runtime.mongo.client import INTEGRATION_LOG, JOBS, Document
from order_runtime.mongo.log_filter import LogFilter

COUNTED: Final = 50_000  # entries at most, the newest
GROUPS: Final = 1_000  # of these at most, the most numerous
_KEYS: Final = ("code", "severity", "cause", "source", "client")
_SENDER: Final = ("source", "client")


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the log, with who sent its job's command as far as that is known."""

    job_id: str
    order_id: str | None
    code: str
    severity: str
    cause: str | None
    """What is missing, or why an action was dropped."""
    source: str | None
    client: str | None
    at: datetime
    resolved_at: datetime | None
    message: str
    proposed_action: str


@dataclass(frozen=True, slots=True)
class EntryCount:
    """Entries that have all of this in common."""

    count: int
    open: int
    """How many of them are not resolved."""
    code: str
    severity: str
    cause: str | None
    source: str | None
    client: str | None
    oldest: datetime
    newest: datetime


@dataclass(frozen=True, slots=True)
class LogSummary:
    groups: tuple[EntryCount, ...]
    """The most numerous first."""
    counted: int
    complete: bool
    """False where more than COUNTED entries match: then the oldest are left out."""


def newest_entries(
    address: MongoAddress, wanted: LogFilter, limit: int, seconds: float
) -> list[Entry]:
    """Return the newest entries first, at most *limit*; raises OperationFailed."""
    with bounded_database(address, seconds) as database:
        found = database[INTEGRATION_LOG].find(_where(wanted)).hint(wanted.index.name)
        entries = list(found.sort([("at", DESCENDING), ("_id", DESCENDING)]).limit(limit))
        senders = _senders(database, entries)
    said = (it | senders.get(it.get("jobId", ""), {}) for it in entries)
    return list(readable_rows(INTEGRATION_LOG, said, _entry_of))


def summarize(address: MongoAddress, wanted: LogFilter, seconds: float) -> LogSummary:
    """Return how many entries there are by code, cause and sender; raises OperationFailed."""
    with bounded_database(address, seconds) as database:
        entries = database[INTEGRATION_LOG]
        found = list(entries.aggregate(_pipeline(wanted), hint=wanted.index.name))
    counted = sum(it["count"] for it in found)
    groups = tuple(map(_count_of, found[:GROUPS]))
    return LogSummary(groups, min(counted, COUNTED), counted <= COUNTED)


def _where(wanted: LogFilter) -> Document:
    conditions = [*wanted.indexed(), *wanted.others()]
    return {"$and": conditions} if conditions else {}


def _senders(database: Database[Document], entries: Sequence[Document]) -> dict[str, Document]:
    """Return by job who sent the command of those entries that don't say it themselves."""
    ids = {it["jobId"] for it in entries if "source" not in it and "jobId" in it}
    if not ids:
        return {}
    jobs = database[JOBS].find({"_id": {"$in": sorted(ids)}}, dict.fromkeys(_SENDER, 1))
    return {job["_id"]: {it: job[it] for it in _SENDER if it in job} for job in jobs}


def _pipeline(wanted: LogFilter) -> Sequence[Document]:
    unsaid = {"$cond": [{"$eq": [{"$type": "$source"}, "missing"]}, "$jobId", None]}
    lookup = {"from": JOBS, "localField": "asked", "foreignField": "_id", "as": "job"}
    sender = {it: {"$ifNull": [f"${it}", {"$first": f"$job.{it}"}]} for it in _SENDER}
    cause = {"$ifNull": ["$reference", "$reason"]}
    is_open = {"$cond": [{"$eq": [{"$type": "$resolvedAt"}, "missing"]}, 1, 0]}
    return [
        {"$match": _where(wanted)},
        {"$sort": {"at": DESCENDING, "_id": DESCENDING}},
        {"$limit": COUNTED + 1},
        {"$set": {"asked": unsaid}},
        {"$lookup": {**lookup, "pipeline": [{"$project": dict.fromkeys(_SENDER, 1)}]}},
        {"$set": {**sender, "cause": cause}},
        {
            "$group": {
                "_id": {it: f"${it}" for it in _KEYS},
                "count": {"$sum": 1},
                "open": {"$sum": is_open},
                "oldest": {"$min": "$at"},
                "newest": {"$max": "$at"},
            }
        },
        {"$sort": {"count": DESCENDING, "newest": DESCENDING}},
    ]


def _entry_of(document: Document) -> Entry:
    return Entry(
        job_id=document["jobId"],
        order_id=document.get("orderId"),
        code=document["code"],
        severity=document["severity"],
        cause=document.get("reference") or document.get("reason"),
        source=document.get("source"),
        client=document.get("client"),
        at=document["at"],
        resolved_at=document.get("resolvedAt"),
        message=document["message"],
        proposed_action=document["proposedAction"],
    )


def _count_of(group: dict[str, Any]) -> EntryCount:
    keys = {it: group["_id"].get(it) for it in _KEYS}
    return EntryCount(**keys, **{it: group[it] for it in ("count", "open", "oldest", "newest")})
