"""The documents of dead letters: counted, and marked with what an operator did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pymongo import DESCENDING

from order_operations.connections.mongo_client import bounded_database
from order_operations.connections.system_address import MongoAddress
from order_operations.dead_letters.letter_view import Letter
from order_runtime.documents.dead_letters import OPEN, marked
from order_runtime.mongo.client import DEAD_LETTERS, Document
from order_runtime.mongo.collections import NEWEST_FIRST
from order_runtime.mongo.portions import portions

COUNTED: Final = 100_000  # letters at most, the newest
SECONDS: Final = 60.0
_KEYS: Final = ("topic", "code", "source", "client", "state")


@dataclass(frozen=True, slots=True)
class LetterCount:
    """Dead letters that have all of this in common."""

    count: int
    topic: str
    """Where they came from."""
    code: str
    source: str | None
    client: str | None
    state: str
    oldest: datetime
    newest: datetime


@dataclass(frozen=True, slots=True)
class LetterSummary:
    groups: tuple[LetterCount, ...]
    """The open ones first, and of these the most numerous."""
    counted: int
    complete: bool
    """False where there are more than COUNTED letters: then the oldest are left out."""


def summarize(
    address: MongoAddress, since: datetime | None = None, seconds: float = SECONDS
) -> LetterSummary:
    """Return how many letters there are, by the documents alone; raises OperationFailed."""
    with bounded_database(address, seconds) as database:
        found = list(database[DEAD_LETTERS].aggregate(_pipeline(since), hint=NEWEST_FIRST.name))
    counted = sum(it["count"] for it in found)
    groups = sorted(map(_count_of, found), key=lambda it: (it.state != OPEN, -it.count, it.topic))
    return LetterSummary(tuple(groups), min(counted, COUNTED), counted <= COUNTED)


def mark(address: MongoAddress, letters: Iterable[Letter], state: str) -> None:
    """Note in the documents of *letters* that they were replayed or dropped."""
    ids = [letter.document_id for letter in letters]
    with bounded_database(address, SECONDS) as database:
        for some in portions(ids):
            database[DEAD_LETTERS].update_many(*marked(some, state))


def _pipeline(since: datetime | None) -> Sequence[Document]:
    """Return the pipeline that groups one letter more than are counted, where there are so many."""
    return [
        {"$match": {"at": {"$gte": since}} if since else {}},
        {"$sort": dict(NEWEST_FIRST.keys)},
        {"$limit": COUNTED + 1},
        {
            "$group": {
                "_id": {it: f"${it}" for it in _KEYS},
                "count": {"$sum": 1},
                "oldest": {"$min": "$at"},
                "newest": {"$max": "$at"},
            }
        },
        {"$sort": {"count": DESCENDING}},
    ]


def _count_of(group: dict[str, Any]) -> LetterCount:
    keys = {it: group["_id"].get(it) for it in _KEYS}
    return LetterCount(**keys, **{it: group[it] for it in ("count", "oldest", "newest")})
