"""Waiting until the system is at rest: all groups caught up, no job and no delivery open."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from pymongo import MongoClient
from pymongo.database import Database

from support.builders.bodies import Json
from support.builders.raw_records import COMMANDS_TOPIC
from support.stack.consumer_groups import lag
from support.stack.running_stack import RunningStack

CONSUMED_TOPICS: Final = (
    ("order-writer", COMMANDS_TOPIC),
    *(("enricher", topic) for topic in ("reference.contacts", "reference.articles")),
    *(("enricher", topic) for topic in ("reference.stores", "orders.events")),
    ("action-trigger", "orders.actions"),
)
"""Consumer groups and topics, in the order in which a command passes them."""


CONSUMER_GROUPS: Final = ("order-writer", "enricher", "action-trigger")


def wait_until_quiet(
    stack: RunningStack, order_ids: Collection[str] | None = None, *, seconds: float = 120
) -> None:
    """Wait until nothing is unfinished; fails with what is after *seconds*."""
    end = time.monotonic() + seconds
    while unfinished := unfinished_work(stack, order_ids):
        assert time.monotonic() < end, f"not quiet within {seconds} s: {unfinished}"
        time.sleep(0.2)


def unfinished_work(stack: RunningStack, order_ids: Collection[str] | None = None) -> str | None:
    """
    Return what is unfinished: a group's lag, healing, else open jobs and deliveries.

    It looks in the order of the data flow, so that no record is missed between two looks: healing
    follows reference data, and publishes commands and actions.
    """
    return (
        lagging_group(stack, ["enricher"])
        or healing(stack)
        or lagging_group(stack)
        or open_work(stack, order_ids)
    )


def healing(stack: RunningStack) -> str | None:
    """Return how many changes of reference data the enricher has yet to heal orders for."""
    with MongoClient[Json](stack.mongo) as client:
        left = client[stack.database]["healing"].count_documents({})
    return f"{left} changes to heal" if left else None


def lagging_group(stack: RunningStack, groups: Collection[str] = CONSUMER_GROUPS) -> str | None:
    """Return the first group with a lag, and how much; None if all have caught up."""
    for group, topic in CONSUMED_TOPICS:
        if group in groups and (left := lag(stack.kafka, group, topic)):
            return f"{group} is {left} behind on {topic}"
    return None


def open_work(
    stack: RunningStack,
    order_ids: Collection[str] | None = None,
    kinds: Collection[str] = ("jobs", "deliveries"),
) -> str | None:
    """Return the number of open jobs and deliveries, of these orders or of all."""
    with MongoClient[Json](stack.mongo) as client:
        database = client[stack.database]
        only: Json = {} if order_ids is None else {"orderId": {"$in": list(order_ids)}}
        counts = {
            name: count(database, only)
            for name, count in UNFINISHED.items()
            if name.startswith(tuple(kinds))
        }
    left = {name: count for name, count in counts.items() if count}
    return str(left) if left else None


def not_enriched(database: Database[Json], only: Json) -> int:
    """Count the jobs that are to be enriched and are not, in either of the places for that."""
    jobs = _ids(database["jobs"].find({**only, **AWAITING_ENRICHMENT}, {"_id": 1}))
    return len(jobs - _ids(database["enrichments"].find(only, {"_id": 1}))) if jobs else 0


def actions_on_their_way(database: Database[Json], only: Json) -> int:
    """Count the jobs whose action was fired and has no delivery yet."""
    fired = _ids(database["enrichments"].find({**only, "action": "fired"}, {"_id": 1}))
    inside = {"enrichment.action": "fired", "delivery": {"$exists": False}}
    fired |= _ids(database["jobs"].find({**only, **inside}, {"_id": 1}))
    recorded = database["deliveries"].find(only, {"jobId": 1}) if fired else ()
    return len(fired - {it["jobId"] for it in recorded})


def deliveries_open(database: Database[Json], only: Json) -> int:
    still = {"$or": [{"state": "pending"}, {"announced": False}]}
    return database["deliveries"].count_documents({**only, **still})


def _ids(documents: Iterable[Json]) -> set[str]:
    return {it["_id"] for it in documents}


AWAITING_ENRICHMENT: Final[Json] = {
    "failure": {"$exists": False},
    "enrichment": {"$exists": False},
    "aliasOf": {"$exists": False},
    "$or": [
        {"action": {"$exists": True}},
        {
            "version": {"$exists": True},
            "operation": {"$in": ["RegisterOrder", "ReplaceOrder"]},
        },
    ],
}
UNFINISHED: Final[Mapping[str, Callable[[Database[Json], Json], int]]] = {
    "jobs not enriched": not_enriched,
    "jobs with an action on its way": actions_on_their_way,
    "deliveries open": deliveries_open,
}
