"""The drill of docs/runbooks/loss.md: 12 partitions become 96, and no order loses its sequence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from order_contracts.topics import ARTICLES, COMMANDS, CONTACTS, ENRICHER, STORES, TRIGGER, WRITER
from support.builders.bodies import Json, contact_body, matching, order_body, unique
from support.faults.lost_topics import lose_topics, recovery, stop
from support.faults.runbook import runbook
from support.history.journal import Journal
from support.history.quiescence import wait_until_quiet
from support.load.background_load import LoadProfile, background_load, numbered_order_ids
from support.load.checked_load import checked_history, until_more_calls
from support.stack.api_client import ApiClient
from support.stack.consumer_groups import end_offsets
from support.stack.kafka_records import read_all
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

PARTITIONS = 96
CONSUMERS = (WRITER, ENRICHER, TRIGGER)


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of its own, since its topics get other partitions."""
    with running_stack(tmp_path_factory.mktemp("orders-home"), seconds=300) as started:
        yield started


def test_orders_keep_their_sequence_when_twelve_partitions_become_96(
    own_stack: RunningStack, tmp_path: Path
) -> None:
    """Nothing is altered while a group runs, or has something left to read."""
    api, known = ApiClient(own_stack), contact_body()
    load(own_stack, tmp_path, known)
    orders = [order_body(contact=matching(known)) for _ in range(40)]
    jobs = [api.registered(it) for it in orders] + changes(api, orders, "before")
    under_load(own_stack, known)
    stop(own_stack, WRITER)
    jobs += changes(api, orders, "left")

    heading = "Topics get more partitions"
    with recovery("12 partitions to 96"), runbook(own_stack, heading) as steps:
        stop(own_stack, "gateway")
        assert "has members" in steps.next(check=False).stderr
        stop(own_stack, *CONSUMERS)
        left = f"order-writer has yet to read {2 * len(orders)} records of orders.commands"
        until(lambda: left in steps.next(check=False).stderr)
        for service in CONSUMERS:
            own_stack.start(service)
        wait_until_quiet(own_stack)
        stop(own_stack, *CONSUMERS)
        until(lambda: "compacted" in steps.next(check=False).stderr)
        assert len(end_offsets(own_stack, COMMANDS.name)) == 12
        lose_topics(own_stack, CONTACTS, ARTICLES, STORES)
        steps.next()
        for service in CONSUMERS:
            own_stack.start(service, ORDERMILL_PARTITIONS=str(PARTITIONS))
        own_stack.start("gateway")
        load(own_stack, tmp_path, known)
        jobs += changes(api, orders, "after")
        wait_until_quiet(own_stack)

    assert {api.job(it).json()["status"] for it in jobs} == {"Completed"}
    for order in orders:
        assert api.order(order["orderId"]).json()["externalStatus"] == "after"
    assert moved(own_stack, [it["orderId"] for it in orders]) > len(orders) // 2
    assert not json.loads(own_stack.orders("offsets", "plan", "--json").stdout)
    under_load(own_stack, known)


def changes(api: ApiClient, orders: Sequence[Json], status: str) -> list[str]:
    """Change each order twice, the second time to *status*; return the jobs."""
    return [
        changed(api, it["orderId"], each) for it in orders for each in (f"not yet {status}", status)
    ]


def changed(api: ApiClient, order_id: str, status: str) -> str:
    body = {"externalStatus": status, "lastChangedAt": datetime.now(UTC).isoformat()}
    answer = api.client.post(f"{api.base}/orders/{order_id}/change-status", json=body)
    assert answer.status_code == 202, answer.text
    job_id: str = answer.json()["jobId"]
    return job_id


def moved(stack: RunningStack, order_ids: Sequence[str]) -> int:
    """Return how many orders have commands in two partitions."""
    places = {(it.key(), it.partition()) for it in read_all(stack.kafka, COMMANDS.name)}
    of_orders = [key for key, _ in places if key and key.decode() in order_ids]
    return len(of_orders) - len(set(of_orders))


def under_load(stack: RunningStack, known: Json) -> None:
    """Send a load of every kind of command, and hold its history against the laws."""
    journal = Journal()
    profile = LoadProfile(numbered_order_ids(unique("wide"), 40), [matching(known)], seed=5)
    with background_load(stack, profile, journal):
        until_more_calls(journal)
    checked_history(stack, profile, journal)


def load(stack: RunningStack, folder: Path, contact: Json) -> None:
    file = folder / "contacts.ndjson"
    file.write_text(json.dumps(contact))
    stack.orders("reference", "load", "--wait", str(file))
