"""Two workers of each service: one is killed or suspended; MongoDB is down for long."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest
from pymongo import MongoClient

from order_contracts.topics import ACTIONS, COMMANDS, CONTACTS, ENRICHER, EVENTS, TRIGGER, WRITER
from support.builders.bodies import Json, contact_body, matching, order_body
from support.builders.raw_records import RawRecord, register_record
from support.stack.consumer_groups import all_have_partitions, lag, members, rebalance_count
from support.stack.kafka_records import publish_records
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until
from support.stack.webhook_receiver import webhook_body

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

SECONDS = 120.0  # for what takes ten to twenty on an idle machine
AWAY = 90.0
ORDERS = 300
TOPICS = {WRITER: COMMANDS, ENRICHER: EVENTS, TRIGGER: ACTIONS}
each_service = pytest.mark.parametrize("service", TOPICS)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    home = tmp_path_factory.mktemp("orders-home")
    two = ("--writers", "2", "--enrichers", "2", "--triggers", "2")
    with running_stack(home, *two, seconds=300) as started:
        yield started


@pytest.fixture(scope="module")
def contact(pair: RunningStack) -> Json:
    known = contact_body()
    key, value = known["contactId"], httpx.Request("POST", "http://none", json=known).content
    publish_records(pair.kafka, [RawRecord(key, value, {})], topic=CONTACTS.name)
    until(lambda: lag(pair.kafka, ENRICHER, CONTACTS.name) == 0, seconds=SECONDS)
    return matching(known)


@each_service
def test_a_killed_workers_partitions_are_taken_over(
    pair: RunningStack, contact: Json, service: str
) -> None:
    """
    The other worker settles its records alone, and every command has one effect.
    """
    both_have_partitions(pair, service)
    pair.kill(f"{service}-1")
    sent = registered(pair, contact)

    began = time.monotonic()
    until(lambda: caught_up(pair, service), seconds=SECONDS, of=f"{service}-2 alone")
    print(f"\n{service}: taken over within {time.monotonic() - began:.0f} s")
    pair.start(f"{service}-1")
    each_once(pair, sent)


@each_service
def test_a_worker_that_sleeps_and_wakes_changes_nothing(
    pair: RunningStack, contact: Json, service: str
) -> None:
    """
    It is suspended in the middle of its work until the other has taken over all partitions, is
    resumed under new load, and joins the group again as the same process.
    """
    both_have_partitions(pair, service)
    zombie = psutil.Process(pair.part(f"{service}-1")["pid"])
    sent = registered(pair, contact)
    zombie.suspend()
    try:
        sent += registered(pair, contact)
        until(lambda: caught_up(pair, service), seconds=SECONDS, of=f"{service}-2 alone")
        sent += registered(pair, contact)
    finally:
        zombie.resume()
    sent += registered(pair, contact)

    both_have_partitions(pair, service)
    each_once(pair, sent)
    assert zombie.is_running()
    assert pair.part(f"{service}-1")["pid"] == zombie.pid


def test_mongodb_away_for_long_costs_no_partition(pair: RunningStack, contact: Json) -> None:
    """
    Ninety seconds, nine times the session timeout: no group rebalances.
    """
    for service in TOPICS:
        both_have_partitions(pair, service)
    before = {
        service: (rebalance_count(pair, service), members(pair, service)) for service in TOPICS
    }
    pair.kill("mongod")
    away = time.monotonic()
    try:
        sent = registered(pair, contact)
        until(lambda: time.monotonic() - away > AWAY, seconds=AWAY + SECONDS)
    finally:
        pair.start("mongod")

    each_once(pair, sent)
    after = {
        service: (rebalance_count(pair, service), members(pair, service)) for service in TOPICS
    }
    assert after == before
    assert all(part["pid"] for part in pair.status()["services"])


def both_have_partitions(pair: RunningStack, service: str) -> None:
    until(lambda: all_have_partitions(pair, service, 2), seconds=SECONDS, of=f"two of {service}")


def registered(pair: RunningStack, contact: Json) -> list[str]:
    """Publish orders that ask for an action; return their ids."""
    action = {"action": "ConfirmOrder"}
    bodies = [order_body(contact=contact, orderAction=action) for _ in range(ORDERS)]
    publish_records(pair.kafka, [register_record(body) for body in bodies])
    return [body["orderId"] for body in bodies]


def caught_up(pair: RunningStack, service: str) -> bool:
    """Return whether a service and all upstream of it have no lag."""
    before = list(TOPICS)[: list(TOPICS).index(service) + 1]
    return all(lag(pair.kafka, it, TOPICS[it].name) == 0 for it in before)


def each_once(pair: RunningStack, order_ids: list[str]) -> None:
    """Wait until each order's action is delivered; fails if anything was applied twice."""
    ours = {"orderId": {"$in": order_ids}}
    with MongoClient[dict[str, Any]](pair.mongo) as client:
        database = client[pair.database]
        delivered = {**ours, "state": "delivered"}
        until(
            lambda: database["deliveries"].count_documents(delivered) >= len(order_ids),
            seconds=SECONDS,
            of="every action delivered",
        )
        made = [(job["orderId"], job["version"]) for job in database["jobs"].find(ours)]
        orders = database["orders"].find({"_id": {"$in": order_ids}})
        versions = {it["_id"]: it["version"] for it in orders}
    assert Counter(order_id for order_id, _ in made) == dict.fromkeys(order_ids, 1)
    assert dict(made) == versions, "each order's one registration made its version, nothing since"
    actions = actions_of(pair, set(order_ids))
    assert {order_id for order_id, _ in actions} == set(order_ids)
    assert len(actions) == len(order_ids)


def actions_of(pair: RunningStack, order_ids: set[str]) -> set[tuple[str, str]]:
    """Return orderId and action id of the webhooks that were received for these orders."""
    hooks = httpx.get(f"{pair.receiver}/received", timeout=60).json()
    webhook_data = [webhook_body(hook)["data"] for hook in hooks if hook["verified"]]
    return {
        (it["order"]["orderId"], it["actionId"])
        for it in webhook_data
        if it["order"]["orderId"] in order_ids
    }
