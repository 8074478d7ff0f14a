"""Deliveries and endpoints as an operator sees them, and what an operator may do to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pymongo
from pymongo import DESCENDING
from pymongo.errors import PyMongoError

from order_contracts.values import rfc3339
from order_runtime.documents.deliveries import (
    DELIVERED,
    DISABLED,
    ENABLED,
    FAILED,
    PAUSED,
    PENDING,
    REPLAYABLE,
    STATES,
    replay_update,
)
from order_runtime.mongo.client import ACTION_DELIVERIES, CODEC, ENDPOINTS, Document, client
from order_stack.problems import StackProblem

SECONDS: Final = 600.0  # for a replay of very many
_SHOWN: Final = {"body": 0, "record": 0}
_MOVES: Final = {
    "enable": (ENABLED, {DISABLED, PAUSED}),
    "disable": (DISABLED, {ENABLED, PAUSED}),
    "pause": (PAUSED, {ENABLED}),
    "resume": (ENABLED, {PAUSED}),
}


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries are meant: all that fit what is given; times are when the action came."""

    ids: Collection[str] = ()
    order: str | None = None
    states: Collection[str] = ()
    actions: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None

    def where(self) -> Document:
        came = {"$gte": self.since, "$lt": self.until}
        given = {
            "_id": {"$in": list(self.ids)} if self.ids else None,
            "orderId": self.order,
            "state": {"$in": list(self.states or STATES)},
            "action": {"$in": list(self.actions)} if self.actions else None,
            "createdAt": {op: at for op, at in came.items() if at is not None},
        }
        return {name: condition for name, condition in given.items() if condition}


class Deliveries:
    def __init__(self, mongo: str, database: str) -> None:
        self._database = client(mongo, "orders").get_database(database, codec_options=CODEC)

    def found(self, wanted: DeliveryFilter, limit: int) -> list[Document]:
        """Return the newest first, at most *limit*."""
        with _told():
            everything = self._database[ACTION_DELIVERIES]
            found = everything.find(wanted.where(), _SHOWN).sort("createdAt", DESCENDING)
            return [_row(document) for document in found.limit(limit)]

    def count(self, wanted: DeliveryFilter) -> int:
        with _told():
            return self._database[ACTION_DELIVERIES].count_documents(wanted.where())

    def one(self, action_id: str) -> Document:
        with _told():
            found = self._database[ACTION_DELIVERIES].find_one({"_id": action_id}, _SHOWN)
        if found is None:
            raise StackProblem(f"There is no delivery {action_id!r}; `orders deliveries list`.")
        return {**_row(found), "attempts": [_attempt(attempt) for attempt in found["attempts"]]}

    def replay(self, wanted: DeliveryFilter, now: datetime) -> int:
        """Make those pending again that ended and weren't erased; return how many."""
        with _told():
            where = wanted.where() | REPLAYABLE
            done = self._database[ACTION_DELIVERIES].update_many(where, replay_update(now))
            # What the workers look at every second, so that they don't wait for their next look.
            self._database[ENDPOINTS].update_many({}, {"$set": {"replayedAt": now}})
        return done.modified_count

    def endpoints(self) -> list[Document]:
        with _told():
            found = self._database[ENDPOINTS].find({"actions.0": {"$exists": True}}).sort("_id")
            return [self._endpoint(document) for document in found]

    def _endpoint(self, document: Document) -> Document:
        waiting = {"state": PENDING, "action": {"$in": document["actions"]}}
        since = document.get("since")
        return {
            "endpoint": document["_id"],
            "state": document.get("state", ENABLED),
            "since": since and rfc3339(since),
            "by": document.get("by"),
            "host": document["host"],
            "actions": document["actions"],
            "waiting": self._database[ACTION_DELIVERIES].count_documents(waiting),
        }

    def move(self, name: str, verb: str, now: datetime) -> str:
        """Open or shut an endpoint; return its state, which may have been that before."""
        known = {item["endpoint"]: item["state"] for item in self.endpoints()}
        if name not in known:
            raise StackProblem(f"There is no endpoint {name!r}; there is {', '.join(known)}.")
        to, moveable = _MOVES[verb]
        if known[name] == to:
            return to
        if known[name] not in moveable:
            raise StackProblem(
                f"{name} is {known[name]}; `orders deliveries enable {name}` opens it."
            )
        with _told():
            self._database[ENDPOINTS].update_one(
                {"_id": name}, {"$set": {"state": to, "since": now, "by": "operator"}}
            )
        return to


@contextmanager
def _told() -> Iterator[None]:
    try:
        with pymongo.timeout(SECONDS):
            yield
    except PyMongoError as error:
        raise StackProblem(f"MongoDB did not do it ({type(error).__name__}).") from error


def replayable(states: Sequence[str], *, delivered: bool) -> list[str]:
    """Return which states are to be replayed; what was delivered only if that is said."""
    allowed = {FAILED, DELIVERED} if delivered else {FAILED}
    wanted = set(states) or allowed
    if not wanted <= allowed:
        raise StackProblem(
            "Only failed deliveries are replayed, and with --delivered those that were delivered."
        )
    return sorted(wanted)


def _row(document: Document) -> Document:
    attempts = document["attempts"]
    last: dict[str, Any] = attempts[-1] if attempts else {}
    pending = document["state"] == PENDING
    return {
        "actionId": document["_id"],
        "orderId": document["orderId"],
        "jobId": document["jobId"],
        "action": document["action"],
        "state": document["state"],
        "createdAt": rfc3339(document["createdAt"]),
        "attempts": len(attempts),
        "lastStatus": last.get("status"),
        "dueAt": rfc3339(document["dueAt"]) if pending else None,
        "endedAt": None if pending else rfc3339(document["since"]),
        "reason": document.get("reason"),
        "replays": document.get("round", 0),
    }


def _attempt(attempt: dict[str, Any]) -> Document:
    return {
        "at": rfc3339(attempt["at"]),
        "outcome": attempt["outcome"],
        "status": attempt["status"],
        "milliseconds": attempt["durationMs"],
        "answer": attempt.get("answer"),
    }
