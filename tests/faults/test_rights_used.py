"""Each right in the table is made use of: a service that lacked it would fail at something."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from order_contracts.topics import ACTIONS, COMMANDS, CONTACTS, EVENTS
from order_operations.workloads import SERVICES, WORKLOADS, Workload
from order_runtime.access.rights import Right
from support.builders.bodies import unique
from support.builders.raw_records import RawRecord
from support.history.journal import Journal
from support.history.quiescence import wait_until_quiet
from support.load.background_load import LoadProfile, background_load, numbered_order_ids
from support.load.contact_changes import contact_changes, load_contacts
from support.stack.kafka_records import publish_records
from support.stack.running_stack import RunningStack, running_stack
from support.stack.used_rights import AUTHORIZER_LOG, profiled, used_on_kafka, used_on_mongo
from support.stack.wait import until
from support.stack.webhook_receiver import set_behaviour

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

EACH = 6  # contacts that come and that are erased
SECONDS = 300.0


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    home = tmp_path_factory.mktemp("secure")
    with running_stack(home, "--secure", "--partitions", "2", env=AUTHORIZER_LOG) as started:
        yield started


def test_every_right_of_a_service_is_used(system: RunningStack, tmp_path: Path) -> None:
    with profiled(system.mongo):
        for service in SERVICES:
            system.kill(service, "TERM")
            system.start(service)
        everything_happens(system, tmp_path)
    kafka, mongo = used_on_kafka(broker_log(system)), used_on_mongo(system.mongo)
    unused = [
        f"{it.name}: {right.operation} on {right.on}"
        for it in WORKLOADS
        if it.name in SERVICES
        for right in rights_of(it) - kafka[it.name] - mongo[it.name]
    ]
    assert not unused, "\n".join(sorted(unused))


def rights_of(workload: Workload) -> frozenset[Right]:
    return frozenset[Right]({*workload.kafka, *workload.mongo})


def everything_happens(system: RunningStack, folder: Path) -> None:
    """Load of all kinds, contacts that come, merge and go, garbage, and a receiver that refuses."""
    changes = contact_changes(EACH, merges=EACH)
    profile = LoadProfile(
        order_ids=numbered_order_ids(unique("load"), 60),
        contacts=load_contacts(system, folder, 10, changes),
        changes=changes,
        contact_interval=1.0,
    )
    set_behaviour(system.receiver, status=400, times=3)
    with background_load(system, profile, Journal()):
        for topic in (COMMANDS, EVENTS, ACTIONS, CONTACTS):
            publish_records(system.kafka, [RawRecord(unique("key"), b"{", {})], topic=topic.name)
        threading.Event().wait(changes.count + 10.0)
        set_behaviour(system.receiver, status=410, times=1)
        threading.Event().wait(10.0)
    until(lambda: is_disabled(system), seconds=SECONDS, of="the endpoint that answered 410")
    system.orders("deliveries", "enable", "default")
    wait_until_quiet(system, seconds=SECONDS)


def is_disabled(system: RunningStack) -> bool:
    [endpoint] = json.loads(system.orders("deliveries", "endpoints", "--json").stdout)
    return bool(endpoint["state"] == "disabled")


def broker_log(system: RunningStack) -> Path:
    return system.command.home / system.name / "logs" / "broker.log"
