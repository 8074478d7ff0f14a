"""How long deliveries wait, as metrics: of all workers, by two queries that read an index alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from pymongo.database import Database

from action_trigger import metrics
from order_contracts.order import ActionName
from order_runtime.documents.deliveries import PENDING
from order_runtime.mongo.client import ACTION_DELIVERIES, Document

OVERDUE_AFTER: Final = timedelta(minutes=2)  # more than the longest timeout of a request
MAX_OVERDUE: Final = 1_000


def refresh_delivery_gauges(database: Database[Document], partitions: int, now: datetime) -> None:
    """Set the age of the oldest pending delivery, and how many are overdue."""
    deliveries = database[ACTION_DELIVERIES]
    oldest = deliveries.find_one(
        {"state": PENDING}, {"createdAt": 1}, sort={"createdAt": 1}, hint="state"
    )
    since = (oldest or {}).get("createdAt")
    age = (now - since).total_seconds() if isinstance(since, datetime) else 0.0
    metrics.OLDEST_PENDING.set(max(0.0, age))
    due = {
        "state": PENDING,
        "partition": {"$in": list(range(partitions))},
        "action": {"$in": list(ActionName)},
        "dueAt": {"$lte": now - OVERDUE_AFTER},
    }
    metrics.OVERDUE.set(deliveries.count_documents(due, limit=MAX_OVERDUE, hint="due"))


def delivery_gauges(database: Database[Document], partitions: int) -> None:
    """Refresh them as of now."""
    refresh_delivery_gauges(database, partitions, datetime.now(UTC))
