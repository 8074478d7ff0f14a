"""Each right of each service, taken away alone: the service says which one, and waits for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from order_contracts.topics import GATEWAY
from order_operations.access import kafka_acls, mongo_roles
from order_operations.access.plan import (
    kafka_holdings,
    principals_by_workload,
    role_of,
)
from order_operations.connections.system_address import MongoAddress
from order_operations.workloads.table import SERVICES, WORKLOADS, Workload
from order_runtime.access.rights import KafkaRight, Right
from order_runtime.mongo.client import client
from order_runtime.process.log_events import RIGHTS_MISSING
from order_runtime.startup.rights import RightsMissing, check_kafka_rights, check_mongo_rights
from support.stack.running_stack import DATABASE, RunningStack, running_stack
from support.stack.wait import until

SECONDS = 60.0

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def rights_of(workload: Workload) -> list[Right]:
    return [*sorted(workload.kafka), *sorted(workload.mongo)]


RIGHTS = [
    pytest.param(workload, right, id=f"{workload.name}: {right.operation} on {right.on}")
    for workload in WORKLOADS
    if workload.name in SERVICES
    for right in rights_of(workload)
]
SOME = [
    pytest.param(workload, right, id=f"{workload.name}: {right.operation} on {right.on}")
    for workload in WORKLOADS
    if workload.name in SERVICES
    for right in (min(workload.kafka), min(workload.mongo))
]


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("secure"), "--secure", "--partitions", "1") as it:
        yield it


@pytest.mark.parametrize(("workload", "right"), RIGHTS)
def test_the_check_at_the_start_names_a_right_that_is_missing(
    system: RunningStack, workload: Workload, right: Right
) -> None:
    with without(system, workload, right), pytest.raises(RightsMissing) as missing:
        check_rights(system, workload.name)
    assert missing.value.rights == [f"{right.operation} on {right.on}"]


@pytest.mark.parametrize("workload", [it for it in WORKLOADS if it.process], ids=lambda it: it.name)
def test_with_all_of_them_nothing_is_missing(system: RunningStack, workload: Workload) -> None:
    check_rights(system, workload.name)


@pytest.mark.parametrize(("workload", "right"), SOME)
def test_a_service_says_which_right_it_lacks_and_goes_on_once_it_has_it(
    system: RunningStack, workload: Workload, right: Right
) -> None:
    service = workload.name
    if system.pid(service):  # or it ended when a right was taken away
        system.kill(service, "TERM")
    log_of(system, service).write_text("")
    with without(system, workload, right):
        system.start(service, wait=False)
        said = until(lambda: missing_rights(system, service), seconds=SECONDS, of="the sentence")
        assert said == [f"{right.operation} on {right.on}"]
        assert system.part(service)["ready"] is (service == GATEWAY)
    until(lambda: system.part(service)["ready"], seconds=SECONDS, of=f"{service} is ready")


def check_rights(system: RunningStack, service: str) -> None:
    """Check the rights as the service does when it starts, by its login."""
    profile = system.profile(service)
    with client(profile.mongo_address().uri, service) as mongo:
        check_mongo_rights(mongo, DATABASE, service)
    check_kafka_rights(profile.kafka_address(), service)


@contextmanager
def without(system: RunningStack, workload: Workload, right: Right) -> Iterator[None]:
    """Take a right away for the body."""
    if isinstance(right, KafkaRight):
        holdings = kafka_holdings(principals_by_workload())
        principal = f"User:{workload.name}"
        kafka_acls.apply(system.kafka, {principal: holdings[principal] - {right}})
        yield
        kafka_acls.apply(system.kafka, {principal: holdings[principal]})
        return
    address, role = MongoAddress(system.mongo, DATABASE), role_of(workload)
    mongo_roles.apply(address, {role: workload.mongo - {right}})
    yield
    mongo_roles.apply(address, {role: workload.mongo})


def missing_rights(system: RunningStack, service: str) -> list[str]:
    """Return the rights that the service's log names as missing."""
    for line in log_of(system, service).read_text().splitlines():
        if line.startswith("{") and (entry := json.loads(line))["event"] == RIGHTS_MISSING:
            found: list[str] = entry["rights"]
            return found
    return []


def log_of(system: RunningStack, service: str) -> Path:
    return system.command.home / system.name / "logs" / f"{service}.log"
