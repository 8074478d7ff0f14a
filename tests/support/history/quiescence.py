"""Waiting until the system is at rest: all groups caught up, no job and no delivery open."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
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
            name: _count(database, name, only | where)
            for name, where in UNFINISHED.items()
            if name.startswith(tuple(kinds))
        }
    left = {name: count for name, count in counts.items() if count}
    return str(left) if left else None


def _count(database: Database[Json], name: str, where: Json) -> int:
    return database[name.split(maxsplit=1)[0]].count_documents(where)


UNFINISHED: Final[Mapping[str, Json]] = {
    "jobs not enriched": {
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
    },
    "jobs with an action on its way": {
        "enrichment.action": {"$in": ["fired", "pending"]},
        "delivery": {"$exists": False},
    },
    "deliveries open": {"$or": [{"state": "pending"}, {"announced": False}]},
}
