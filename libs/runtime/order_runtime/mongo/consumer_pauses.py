"""
Whether an operator has paused a consumer group: its workers stay in it, and take nothing.

One document a pause, `_id` the group, or the group and one of its topics: `enricher/orders.events`.
"""

from __future__ import annotations

from pymongo.database import Database

from order_contracts.topics import TOPICS
from order_runtime.mongo.client import CONSUMER_PAUSES, Document
from order_runtime.process.log_events import CONSUMER_PAUSED, CONSUMER_RESUMED
from order_runtime.process.logs import log


class ConsumerPauses:
    """What is paused of a group, as MongoDB told last; for all threads of the process."""

    def __init__(self, group: str) -> None:
        self._group = group
        topics = [it.name for it in TOPICS if group in it.readers]
        self._names = [group, *(f"{group}/{topic}" for topic in topics)]
        self._paused: frozenset[str] | None = None

    def refresh(self, database: Database[Document]) -> None:
        """Ask MongoDB; the watch of the process does so every few seconds."""
        found = database[CONSUMER_PAUSES].find({"_id": {"$in": self._names}}, {"_id": 1})
        paused = frozenset(it["_id"] for it in found)
        before, self._paused = self._paused or frozenset(), paused
        for name in sorted(paused ^ before):
            log().warning(CONSUMER_PAUSED if name in paused else CONSUMER_RESUMED, paused=name)

    def holds(self, topic: str) -> bool:
        """Return whether nothing of *topic* is to be taken; so until MongoDB has told once."""
        paused = self._paused
        return paused is None or bool(paused & {self._group, f"{self._group}/{topic}"})
