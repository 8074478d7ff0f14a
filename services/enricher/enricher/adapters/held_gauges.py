"""Held actions as metrics: of all enrichers, by two queries that read an index alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pymongo.database import Database

from enricher import metrics
from enricher.domain.model import HoldState
from order_runtime.mongo.client import HELD, Document

MAX_HELD: Final = 1_000  # are counted, since each is read
_INDEX: Final = "until_1"  # holds those that wait alone
_WAITING: Final = {"state": str(HoldState.WAITING)}


def held_gauges(database: Database[Document]) -> None:
    """Set how many actions are held, and how long the first of them has been."""
    held = database[HELD]
    metrics.HELD_ACTIONS.set(held.count_documents(_WAITING, limit=MAX_HELD, hint=_INDEX))
    oldest = held.find_one(_WAITING, {"acceptedAt": 1}, sort={"until": 1}, hint=_INDEX)
    since = (oldest or {}).get("acceptedAt")
    age = (datetime.now(UTC) - since).total_seconds() if isinstance(since, datetime) else 0.0
    metrics.HELD_OLDEST.set(max(0.0, age))
