"""Gauges that need a query read an index and few documents, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pymongo import MongoClient
from pymongo.database import Database

from action_trigger.adapters.delivery_gauges import refresh_delivery_gauges
from enricher.adapters.held_gauges import held_gauges
from order_contracts.topics import ENRICHER, TRIGGER
from order_runtime.mongo.client import ACTION_DELIVERIES, CODEC, HELD
from support.builders.bodies import unique
from support.growth.profile import Profile, Work
from support.harness.migrated_database import migrate_database
from support.stack.running_stack import RunningStack

NOW = datetime(2025, 11, 28, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ENDED = 3_000
BOUND = 1_000
MANY = 1_500
Found = Database[dict[str, Any]]


@pytest.fixture
def database(stack: RunningStack) -> Iterator[Found]:
    name = unique("gauges")
    with MongoClient[dict[str, Any]](stack.mongo) as client:
        for service in (TRIGGER, ENRICHER):
            migrate_database(stack.mongo, name, service)
        yield client.get_database(name, codec_options=CODEC)
        client.drop_database(name)


def shown(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"ordermill_{name}")


def add_deliveries(database: Found, state: str, count: int, age: timedelta) -> None:
    database[ACTION_DELIVERIES].insert_many(
        {
            "state": state,
            "partition": number % 12,
            "action": "Custom",
            "dueAt": NOW - age,
            "createdAt": NOW - age - timedelta(seconds=number),
        }
        for number in range(count)
    )


def add_held(database: Found, state: str, count: int) -> None:
    now = datetime.now(UTC)
    database[HELD].insert_many(
        {"state": state, "acceptedAt": now - HOUR, "until": now + HOUR} for _ in range(count)
    )


def work_of_deliveries(stack: RunningStack, database: Found) -> Work:
    with Profile(stack.mongo, database.name) as profile:
        refresh_delivery_gauges(database, 12, NOW)
    return profile.of(ACTION_DELIVERIES)


def test_deliveries_that_ended_cost_nothing(stack: RunningStack, database: Found) -> None:
    add_deliveries(database, "delivered", ENDED, HOUR)
    assert work_of_deliveries(stack, database).examined == 0
    assert shown("action_trigger_oldest_pending_seconds") == 0
    assert shown("action_trigger_overdue_deliveries") == 0


def test_of_deliveries_that_wait_a_bounded_number_is_read(
    stack: RunningStack, database: Found
) -> None:
    add_deliveries(database, "delivered", ENDED, 2 * HOUR)
    add_deliveries(database, "pending", MANY, HOUR)
    add_deliveries(database, "pending", 500, timedelta(seconds=1))  # due, and on their way

    work = work_of_deliveries(stack, database)

    assert work.examined <= BOUND + 1
    oldest = HOUR + timedelta(seconds=MANY - 1)
    assert shown("action_trigger_oldest_pending_seconds") == oldest.total_seconds()
    assert shown("action_trigger_overdue_deliveries") == BOUND


def test_of_held_actions_a_bounded_number_is_read(stack: RunningStack, database: Found) -> None:
    add_held(database, "fired", ENDED)
    held_gauges(database)
    assert (shown("enricher_held_actions"), shown("enricher_held_oldest_seconds")) == (0, 0)

    add_held(database, "waiting", MANY)
    with Profile(stack.mongo, database.name) as profile:
        held_gauges(database)

    assert profile.of(HELD).examined <= BOUND + 1
    assert shown("enricher_held_actions") == BOUND
    age = shown("enricher_held_oldest_seconds")
    assert age is not None
    assert 3_600 <= age < 3_700
