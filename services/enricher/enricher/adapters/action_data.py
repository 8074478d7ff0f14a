"""Removes the data of actions from the jobs of orders that were deleted or replaced."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from enricher.adapters.bulk_writes import MAX_WRITTEN
from enricher.adapters.job_progress import enriched_of
from enricher.domain.spent_actions import ActionData, EndedOrder, spent_actions
from order_runtime.documents import job_updates
from order_runtime.documents.document import field, optional
from order_runtime.documents.job_updates import HAS_PERSONAL_DATA
from order_runtime.mongo.client import JOBS, Document
from order_runtime.mongo.collections import PERSONAL
from order_runtime.mongo.portions import portions
from order_runtime.process.unreadable import all_readable

_FIELDS: Final = ("orderId", "registration", "at", "enrichment.state")


async def forget_action_data(
    database: AsyncDatabase[Document], ended: Sequence[EndedOrder]
) -> None:
    """
    Remove the action data that nobody needs since these orders ended.

    Reads no job that has none left: an order may have gathered any number of jobs.
    """
    left = await _jobs_with_data(database[JOBS], ended)
    open_ids = {it["_id"] for it in left if "enrichment" not in it}
    enriched = await enriched_of(database, open_ids)
    jobs = all_readable(JOBS, left, lambda it: _action_data(it, it["_id"] in enriched))
    for job_ids in portions(spent_actions(jobs, ended), MAX_WRITTEN):
        await database[JOBS].update_many(*job_updates.forget_action_data(job_ids))


async def _jobs_with_data(
    jobs: AsyncCollection[Document], ended: Sequence[EndedOrder]
) -> list[Document]:
    """Return the jobs of *ended* that have data; of a replaced order none that came later."""
    deleted = {it.order_id for it in ended if it.replaced_at is None}
    replaced = {it.order_id for it in ended} - deleted
    times = [it.replaced_at for it in ended if it.replaced_at is not None]
    found = await _find(jobs, deleted, {})
    if replaced:
        found += await _find(jobs, replaced, {"at": {"$lte": max(times)}})
    return found


async def _find(
    jobs: AsyncCollection[Document], order_ids: Collection[str], where: Document
) -> list[Document]:
    if not order_ids:
        return []
    of_orders = {"orderId": {"$in": sorted(order_ids)}, **where, **HAS_PERSONAL_DATA}
    return [it async for it in jobs.find(of_orders, _FIELDS, hint=PERSONAL.name)]


def _action_data(job: Document, enriched: bool) -> ActionData:
    return ActionData(
        job_id=field(job, "_id", str),
        order_id=field(job, "orderId", str),
        registration=optional(job, "registration", str),
        at=field(job, "at", datetime),
        enriched=enriched or "enrichment" in job,
    )
