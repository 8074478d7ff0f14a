"""Who sent the commands of jobs, for what is written about them."""

from __future__ import annotations

from collections.abc import Collection

from pymongo.asynchronous.database import AsyncDatabase

from order_runtime.documents.senders import Sender, sender_or_unknown
from order_runtime.mongo.client import JOBS, Document


async def senders_of(
    database: AsyncDatabase[Document], job_ids: Collection[str]
) -> dict[str, Sender]:
    """Return who sent the commands of these jobs, by job, as far as their documents say it."""
    if not job_ids:
        return {}
    found = database[JOBS].find({"_id": {"$in": list(job_ids)}}, ["source", "client"])
    return {it["_id"]: sender_or_unknown(it) async for it in found}
