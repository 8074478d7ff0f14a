"""Failed deliveries in the integration log: one entry, open until a replay is delivered."""

from __future__ import annotations

from collections.abc import Sequence

from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase

from action_trigger.domain.delivery import EndedDelivery
from action_trigger.domain.events import failure_entry
from order_runtime.documents.deliveries import DELIVERED, FAILED
from order_runtime.documents.integration_log import log_document
from order_runtime.mongo.client import INTEGRATION_LOG, Document


async def log_outcomes(database: AsyncDatabase[Document], ended: Sequence[EndedDelivery]) -> None:
    """Open the entries of what failed, resolve those of what a replay delivered; idempotent."""
    updates = [_open(item) for item in ended if item.state == FAILED]
    updates += [_resolve(item) for item in ended if item.state == DELIVERED and item.round]
    if updates:
        await database[INTEGRATION_LOG].bulk_write(updates, ordered=False)


def _open(ended: EndedDelivery) -> UpdateOne:
    """Write the entry, unless a replay that ended later has resolved it already."""
    document = log_document(failure_entry(ended))
    resolved_later = {"$gt": ["$resolvedAt", ended.at]}  # false where the field is missing
    entry = {"$cond": [resolved_later, "$$ROOT", {"$literal": document}]}
    return UpdateOne({"_id": document["_id"]}, [{"$replaceWith": entry}], upsert=True)


def _resolve(ended: EndedDelivery) -> UpdateOne:
    return UpdateOne({"_id": failure_entry(ended).id}, {"$set": {"resolvedAt": ended.at}})
