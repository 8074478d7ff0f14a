"""Consumer groups, or single topics of theirs, that an operator pauses and resumes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from order_contracts.topics import TOPICS
from order_operations.connections.mongo_client import bounded_database
from order_operations.connections.system_address import MongoAddress
from order_operations.consumers.progress import GROUPS
from order_operations.problems import OperationFailed
from order_runtime.mongo.client import CONSUMER_PAUSES, Document

SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class Pause:
    group: str
    topic: str | None
    """None: all topics of the group."""
    since: datetime
    by: str


def pauses(address: MongoAddress, seconds: float = SECONDS) -> list[Pause]:
    """Return what is paused; raises OperationFailed."""
    with bounded_database(address, seconds) as database:
        found = database[CONSUMER_PAUSES].find().sort("_id")
        return [Pause(it["group"], it.get("topic"), it["since"], it["by"]) for it in found]


def pause(address: MongoAddress, group: str, topic: str | None, by: str, now: datetime) -> Pause:
    """Pause a group, or one of its topics; what is paused already stays as it is."""
    document: Document = {"group": group, "since": now, "by": by}
    if topic is not None:
        document["topic"] = topic
    name = _name_of(group, topic)
    with bounded_database(address, SECONDS) as database:
        collection = database[CONSUMER_PAUSES]
        collection.update_one({"_id": name}, {"$setOnInsert": document}, upsert=True)
        found = collection.find_one({"_id": name}) or document
    return Pause(group, topic, found["since"], found["by"])


def resume(address: MongoAddress, group: str, topic: str | None) -> int:
    """Let a group go on with everything, or with one topic; return how many pauses that ended."""
    name = _name_of(group, topic)
    where = {"group": group} if topic is None else {"_id": name}
    with bounded_database(address, SECONDS) as database:
        ended = database[CONSUMER_PAUSES].delete_many(where).deleted_count
        if topic is not None and database[CONSUMER_PAUSES].find_one({"_id": group}):
            raise OperationFailed(
                f"The whole group {group} is paused: `orders consumers resume {group}` lets it go"
                " on."
            )
    return ended


def _name_of(group: str, topic: str | None) -> str:
    """Return the `_id` of a pause; raises OperationFailed where there is no such group or topic."""
    if group not in GROUPS:
        raise OperationFailed(f"There is no group {group!r}, only {', '.join(sorted(GROUPS))}.")
    reads = sorted(it.name for it in TOPICS if group in it.readers)
    if topic is not None and topic not in reads:
        raise OperationFailed(f"The group {group} doesn't read {topic!r}, but {', '.join(reads)}.")
    return group if topic is None else f"{group}/{topic}"
