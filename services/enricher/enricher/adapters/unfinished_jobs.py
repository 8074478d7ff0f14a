"""Jobs without the enrichment that they should have: found by partial indexes, made into events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from enricher.domain.model import ReceivedEvent
from order_runtime.documents.jobs import LedgerEntry, entry_of
from order_runtime.documents.order_events import event_type, order_event
from order_runtime.documents.orders import LiveOrder, order_of
from order_runtime.mongo.client import JOBS, ORDERS, Document
from order_runtime.mongo.collections import ACTING, CONNECTING
from order_runtime.process.unreadable import all_readable, readable


async def overdue_jobs(jobs: AsyncCollection[Document], before: datetime, limit: int) -> list[str]:
    """Return jobs of commands from *before* whose event was not handled, the oldest first."""
    found: dict[str, None] = {}
    for index in (CONNECTING, ACTING):
        where = {**(index.partial or {}), "at": {"$lt": before}}
        old = jobs.find(where, {"_id": 1}, hint=index.name)
        found |= {it["_id"]: None async for it in old.sort("at").limit(limit)}
    return list(found)


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
        yield ReceivedEvent(event_type(entry), order_event(entry, order), entry.at)
