"""
Jobs without the enrichment that they should have: found by a walk over the jobs, in their order.

A job that was met without one is noted in a collection of its own, so that the walk goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters.bulk_writes import insert_new
from enricher.adapters.job_progress import enriched_of
from enricher.domain.announced import announced_event
from enricher.domain.model import ReceivedEvent
from order_runtime.documents.job_updates import AGAIN
from order_runtime.documents.jobs import LedgerEntry, awaits_enrichment, entry_of
from order_runtime.documents.order_events import event_type, order_event
from order_runtime.documents.orders import LiveOrder, order_of
from order_runtime.mongo.client import JOBS, ORDERS, UNFINISHED_JOBS, Document
from order_runtime.process.unreadable import all_readable, readable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_FIELDS: Final = (
    *("at", "expireAt", "operation", "version", "failure.code", "action.action"),
    "enrichment.state",
)


@dataclass(frozen=True, slots=True)
class JobPage:
    """Some jobs in a row, in the order of their commands' times."""

    cursor: str
    """The last of them, by its time in milliseconds and its id."""
    full: bool
    """Whether there may be more behind it."""
    unfinished: Mapping[str, datetime]
    """Those that lack an enrichment, with the time at which they expire."""


async def next_page(
    database: AsyncDatabase[Document], cursor: str, before: datetime, limit: int
) -> JobPage | None:
    """Return the jobs behind *cursor* of commands from *before*; None if there are none."""
    where: Document = {"at": {"$lt": before}}
    if cursor:
        milliseconds, job_id = cursor.split("/", 1)
        at = _EPOCH + int(milliseconds) * _MILLISECOND
        where["at"]["$gte"] = at
        where["$or"] = [{"at": {"$gt": at}}, {"_id": {"$gt": job_id}}]
    found = database[JOBS].find(where, _FIELDS).sort([("at", 1), ("_id", 1)]).limit(limit)
    jobs = await found.to_list()
    if not jobs:
        return None
    lacking = {it["_id"]: it["expireAt"] for it in jobs if _lacks_enrichment(it, before)}
    enriched = await enriched_of(database, lacking)
    unfinished = {it: at for it, at in lacking.items() if it not in enriched}
    return JobPage(_cursor_of(jobs[-1]), len(jobs) == limit, unfinished)


def _cursor_of(job: Document) -> str:
    return f"{(job['at'] - _EPOCH) // _MILLISECOND}/{job['_id']}"


def _lacks_enrichment(job: Document, now: datetime) -> bool:
    """Return whether a job should have an enrichment, has none inside, and is not about to go."""
    expires_at = job.get("expireAt")
    if not isinstance(expires_at, datetime) or expires_at <= now:
        return False
    return "enrichment" not in job and awaits_enrichment(job)


async def note(
    database: AsyncDatabase[Document], unfinished: Mapping[str, datetime], now: datetime
) -> None:
    """Note jobs as unfinished *now*, unless they are noted."""
    documents = [
        {"_id": job_id, "since": now, "expireAt": expires_at}
        for job_id, expires_at in unfinished.items()
    ]
    await insert_new(database[UNFINISHED_JOBS], documents)


async def take_overdue(
    noted: AsyncCollection[Document], before: datetime, now: datetime, limit: int
) -> dict[str, bool]:
    """
    Return jobs that were noted *before* a time, the oldest first, and note them anew.

    With each, whether an operator asked to have it handled again, finished or not.
    """
    found = noted.find({"since": {"$lte": before}}, {AGAIN: 1}).sort("since").limit(limit)
    due = {it["_id"]: bool(it.get(AGAIN)) async for it in found}
    if due:
        await noted.update_many({"_id": {"$in": list(due)}}, {"$set": {"since": now}})
    return due


async def forget(noted: AsyncCollection[Document], job_ids: Collection[str]) -> None:
    """Forget jobs that were noted: they are finished."""
    if job_ids:
        await noted.delete_many({"_id": {"$in": list(job_ids)}})


async def finished_of(database: AsyncDatabase[Document], job_ids: Collection[str]) -> set[str]:
    """Return those of these jobs that have an enrichment, wherever it is."""
    inside = {"_id": {"$in": list(job_ids)}, "enrichment": {"$exists": True}}
    in_jobs = {it["_id"] async for it in database[JOBS].find(inside, {"_id": 1})}
    return in_jobs | await enriched_of(database, job_ids)


async def events_of(
    database: AsyncDatabase[Document], job_ids: Iterable[str]
) -> list[ReceivedEvent]:
    """
    Return the events of these jobs as the order-writer would announce them now.

    Jobs that can't be read, or whose orders can't, are passed over.
    """
    jobs = database[JOBS].find({"_id": {"$in": list(job_ids)}}).sort([("at", 1), ("version", 1)])
    entries = all_readable(JOBS, await jobs.to_list(), entry_of)
    order_ids = list({it.order_id for it in entries})
    found = await database[ORDERS].find({"_id": {"$in": order_ids}}).to_list()
    orders = {document["_id"]: readable(ORDERS, document, order_of) for document in found}
    known = [it for it in entries if orders.get(it.order_id or "", "none") is not None]
    live = {key: it for key, it in orders.items() if isinstance(it, LiveOrder)}
    return list(_events(known, live))


def _events(
    entries: Sequence[LedgerEntry], orders: Mapping[str, LiveOrder]
) -> Iterator[ReceivedEvent]:
    for entry in entries:
        order = orders.get(entry.order_id or "")
        yield ReceivedEvent(event_type(entry), announced_event(order_event(entry, order)), entry.at)
