"""What became of dead letters since, as the database tells: by whatever way they were replayed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from pymongo.collection import Collection

from order_contracts.topics import ACTIONS_DLQ, COMMANDS_DLQ, EVENTS_DLQ
from order_operations.connections.mongo_client import open_database
from order_operations.connections.system_address import MongoAddress
from order_operations.dead_letters.letter_view import Letter
from order_runtime.documents.dead_letters import REPLAYED, SETTLED
from order_runtime.documents.deliveries import DELIVERED, DROPPED, PENDING
from order_runtime.mongo.client import ACTION_DELIVERIES, ENRICHMENTS, JOBS, Document
from order_runtime.mongo.portions import portions

SECONDS: Final = 5.0  # for each answer: letters are looked at when things are broken
_DELIVERY_OUTCOMES: Final = {PENDING: REPLAYED, DELIVERED: SETTLED, DROPPED: SETTLED}


def with_outcomes(address: MongoAddress, letters: Sequence[Letter]) -> list[Letter]:
    """
    Return *letters* with the states that their jobs and deliveries imply.

    A command's letter is settled once its job was decided, an event's once its job was enriched,
    and an action's once it was delivered or erased. Raises OperationFailed.
    """
    with open_database(address, SECONDS) as database:
        jobs, deliveries = database[JOBS], database[ACTION_DELIVERIES]
        decided = _ids(jobs, _jobs_of(letters, COMMANDS_DLQ.name), {"undecoded": None})
        events = _jobs_of(letters, EVENTS_DLQ.name)
        enriched = _ids(database[ENRICHMENTS], events, {})
        enriched |= _ids(jobs, events, {"enrichment.state": {"$ne": None}})  # of earlier releases
        actions = [it.action_id for it in letters if it.action_id is not None]
        ended = {state: _ids(deliveries, actions, {"state": state}) for state in _DELIVERY_OUTCOMES}
    settled_jobs = {COMMANDS_DLQ.name: decided, EVENTS_DLQ.name: enriched}
    found: list[Letter] = []
    for letter in letters:
        topic, state = letter.position.topic, letter.state
        if letter.job_id in settled_jobs.get(topic, ()):
            state = SETTLED
        elif topic == ACTIONS_DLQ.name:
            states = (
                after for at, after in _DELIVERY_OUTCOMES.items() if letter.action_id in ended[at]
            )
            state = next(states, state)
        found.append(replace(letter, state=state))
    return found


def _jobs_of(letters: Iterable[Letter], topic: str) -> list[str]:
    return [it.job_id for it in letters if it.position.topic == topic and it.job_id is not None]


def _ids(collection: Collection[Document], ids: Sequence[str], where: Document) -> set[str]:
    """Return those of *ids* whose documents meet *where*."""
    return {
        document["_id"]
        for some in portions(ids)
        for document in collection.find({"_id": {"$in": some}, **where}, {"_id": 1})
    }
