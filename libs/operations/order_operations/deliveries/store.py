"""The deliveries of order actions, and their endpoints: listed, replayed, opened and shut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final, Literal, Self

import pymongo
from pymongo import DESCENDING

from order_contracts.topics import ACTIONS
from order_operations.connections.mongo_client import (
    SELECTION_SECONDS,
    mongo_errors_as_sentences,
    uri_errors_as_sentences,
)
from order_operations.connections.system_address import MongoAddress
from order_operations.deliveries.delivery_view import (
    Attempt,
    Delivery,
    DeliveryFilter,
    NotReplayed,
    attempt_of,
    delivery_of,
    not_replayed,
)
from order_operations.deliveries.endpoint_view import (
    Backlog,
    Endpoint,
    LastAnswer,
    answer_of_attempts,
    endpoint_of,
    latest,
)
from order_operations.problems import OperationFailed
from order_runtime.documents.dead_letters import replayed_jobs
from order_runtime.documents.deliveries import (
    DELIVERED,
    DISABLED,
    ENABLED,
    FAILED,
    PAUSED,
    PENDING,
    REPLAYABLE,
    replay_update,
)
from order_runtime.mongo.client import (
    ACTION_DELIVERIES,
    CODEC,
    DEAD_LETTERS,
    ENDPOINTS,
    Document,
    client,
)
from order_runtime.mongo.portions import portions

SECONDS: Final = 60.0  # for one operation
REPLAY_SECONDS: Final = 600.0  # a replay may be of very many
LEFT_OUT: Final = 1_000  # deliveries that a replay explains why it leaves them, at most
NEWEST: Final = 500  # deliveries of each state among which the last answer is looked for
_FAILED: Final = {"state": FAILED}  # others have no dead letter
_WITHOUT_CONTENT: Final = {"body": 0, "record": 0}

EndpointCommand = Literal["enable", "disable", "pause", "resume"]
_TRANSITIONS: Final[dict[EndpointCommand, tuple[str, set[str]]]] = {
    "enable": (ENABLED, {DISABLED, PAUSED}),
    "disable": (DISABLED, {ENABLED, PAUSED}),
    "pause": (PAUSED, {ENABLED}),
    "resume": (ENABLED, {PAUSED}),
}
"""For each command the state it leads to, and the states in which it is allowed."""


class EndpointShut(OperationFailed):
    """The endpoint was disabled, so that only `enable` opens it."""


class Deliveries:
    """The deliveries of one database, used in a `with`; every method raises OperationFailed."""

    def __init__(self, address: MongoAddress) -> None:
        with uri_errors_as_sentences():
            self._client = client(address.uri, "orders")
            self._database = self._client.get_database(address.database, codec_options=CODEC)

    def __enter__(self) -> Self:
        try:
            with mongo_errors_as_sentences(), pymongo.timeout(SELECTION_SECONDS):
                self._client.admin.command("ping")  # or a wrong address costs SECONDS
        except OperationFailed:
            self._client.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def newest(self, wanted: DeliveryFilter, limit: int) -> list[Delivery]:
        """Return the newest deliveries first, at most *limit*."""
        with _bounded():
            found = self._database[ACTION_DELIVERIES].find(wanted.where(), _WITHOUT_CONTENT)
            return [delivery_of(it) for it in found.sort("createdAt", DESCENDING).limit(limit)]

    def count(self, wanted: DeliveryFilter) -> int:
        with _bounded():
            return self._database[ACTION_DELIVERIES].count_documents(wanted.where())

    def one(self, action_id: str) -> tuple[Delivery, list[Attempt]]:
        """Return a delivery with its attempts, the oldest first."""
        with _bounded():
            found = self._database[ACTION_DELIVERIES].find_one({"_id": action_id}, _WITHOUT_CONTENT)
        if found is None:
            raise OperationFailed(f"There is no delivery {action_id!r}.")
        return delivery_of(found), [attempt_of(it) for it in found["attempts"]]

    def replay(self, wanted: DeliveryFilter, now: datetime) -> int:
        """Make deliveries pending again that ended and weren't erased; return how many."""
        with _bounded(REPLAY_SECONDS):
            where = wanted.where() | REPLAYABLE
            # Read first: afterwards nothing tells which they were.
            failed = self._database[ACTION_DELIVERIES].find(
                {"$and": [where, _FAILED]}, {"jobId": 1}
            )
            job_ids = [it["jobId"] for it in failed]
            done = self._database[ACTION_DELIVERIES].update_many(where, replay_update(now))
            for some in portions(job_ids):
                self._database[DEAD_LETTERS].update_many(*replayed_jobs(ACTIONS.name, some))
            # Workers read the endpoints every second, and look for due deliveries less often.
            self._database[ENDPOINTS].update_many({}, {"$set": {"replayedAt": now}})
        return done.modified_count

    def left_out(self, wanted: DeliveryFilter) -> list[NotReplayed]:
        """
        Return which of the deliveries that *wanted* names a replay of it leaves as they are.

        Named are those with its ids or, where it has none, of its order: the newest LEFT_OUT.
        """
        named = {"_id": {"$in": list(wanted.ids)}} if wanted.ids else {"orderId": wanted.order}
        if not (wanted.ids or wanted.order):
            return []
        with _bounded():
            found = self._database[ACTION_DELIVERIES].find(named, _WITHOUT_CONTENT)
            newest = list(found.sort("createdAt", DESCENDING).limit(LEFT_OUT))
        unknown = sorted(set(wanted.ids) - {it["_id"] for it in newest})
        reasons = (not_replayed(it, wanted.states) for it in newest)
        return [
            *(NotReplayed(it, "there is no such delivery") for it in unknown),
            *(it for it in reasons if it),
        ]

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints to which actions are sent, by name."""
        return [endpoint_of(it, self._backlog(it["actions"])) for it in self._endpoints()]

    def endpoint_states(self) -> dict[str, str]:
        """Return by name whether each endpoint is enabled, disabled or paused."""
        return {it["_id"]: it.get("state", ENABLED) for it in self._endpoints()}

    def move(self, name: str, command: EndpointCommand, now: datetime) -> str:
        """
        Open or shut an endpoint; return its state, also where it was in that state before.

        Raises EndpointShut where a disabled endpoint is paused or resumed.
        """
        states = self.endpoint_states()
        if name not in states:
            raise OperationFailed(f"There is no endpoint {name!r}; there is {', '.join(states)}.")
        to, allowed = _TRANSITIONS[command]
        if states[name] == to:
            return to
        if states[name] not in allowed:
            raise EndpointShut(f"{name} is {states[name]}.")
        with _bounded():
            self._database[ENDPOINTS].update_one(
                {"_id": name}, {"$set": {"state": to, "since": now, "by": "operator"}}
            )
        return to

    def _endpoints(self) -> list[Document]:
        with _bounded():
            return list(
                self._database[ENDPOINTS].find({"actions.0": {"$exists": True}}).sort("_id")
            )

    def _backlog(self, actions: Sequence[str]) -> Backlog:
        deliveries = self._database[ACTION_DELIVERIES]
        pending = {"state": PENDING, "action": {"$in": actions}}
        with _bounded():
            waiting = deliveries.count_documents(pending)
            oldest = (
                deliveries.find_one(pending, {"createdAt": 1}, sort={"createdAt": 1})
                if waiting
                else None
            )
            return Backlog(waiting, oldest, self._last_answer(actions))

    def _last_answer(self, actions: Sequence[str]) -> LastAnswer | None:
        """Return the last answer to the newest deliveries of each state that were attempted."""
        found = (
            answer_of_attempts(document["attempts"])
            for state in (PENDING, DELIVERED, FAILED)
            for document in self._database[ACTION_DELIVERIES].aggregate(
                [
                    {"$match": {"state": state}},
                    {"$sort": {"createdAt": DESCENDING}},
                    {"$limit": NEWEST},
                    {"$match": {"action": {"$in": list(actions)}}},
                    {"$project": {"attempts": {"$slice": ["$attempts", -1]}}},
                ]
            )
        )
        return latest(it for it in found if it is not None)


@contextmanager
def _bounded(seconds: float = SECONDS) -> Iterator[None]:
    with mongo_errors_as_sentences(), pymongo.timeout(seconds):
        yield
