"""`orders doctor` as the operator: it names a right that was taken away, or that is too much."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from order_contracts.topics import GATEWAY, OPERATOR, TRIGGER
from order_operations.access import kafka_acls, mongo_roles
from order_operations.access.plan import (
    kafka_holdings,
    mongo_holdings,
    principals_by_workload,
    role_of,
)
from order_operations.connections.kafka_client import admin_client
from order_operations.connections.system_address import MongoAddress
from order_operations.workloads.table import WORKLOADS
from order_runtime.access.rights import CLUSTER, CLUSTER_NAME, TOPIC, KafkaRight, MongoRight, Right
from support.builders.bodies import Json
from support.stack.running_stack import DATABASE, RunningStack, running_stack
from support.stack.wait import until

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.timeout(300)]

BY_NAME = {it.name: it for it in WORKLOADS}
COMMANDS_WRITTEN = KafkaRight(TOPIC, "orders.commands", "WRITE")
TO_ALL_TOPICS = AclBinding(
    *(ResourceType.TOPIC, "*", ResourcePatternType.LITERAL),
    *("User:backup", "*", AclOperation.READ, AclPermissionType.ALLOW),
)
ACLS_OF_BACKUP = AclBindingFilter(
    *(ResourceType.ANY, None, ResourcePatternType.ANY),
    *("User:backup", None, AclOperation.ANY, AclPermissionType.ANY),
)
SECONDS = 15.0


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running_stack(tmp_path_factory.mktemp("secure"), "--secure", "--partitions", "1") as it:
        until(lambda: said(it) == [], of="all clear")
        yield it


def findings(system: RunningStack, *args: str) -> list[Json]:
    """Return all findings and notices, but for how full the disk of this machine is."""
    found: Json = json.loads(system.orders("doctor", "--json", *args, check=False).stdout)
    both: list[Json] = found["findings"] + found["notices"]
    return [it for it in both if not it["code"].startswith("Disk")]


def said(system: RunningStack, *args: str) -> list[str]:
    return [it["sentence"] for it in findings(system, *args)]


@contextmanager
def other_rights(
    system: RunningStack, workload: str, *, less: Right | None = None, more: Right | None = None
) -> Iterator[None]:
    """Change what a workload may do, for the body."""
    mongo, role = MongoAddress(system.mongo, DATABASE), role_of(BY_NAME[workload])
    acls = kafka_holdings(principals_by_workload())[f"User:{workload}"]
    roles = mongo_holdings().get(role, frozenset())
    changed = frozenset[Right]((acls | roles) - {less}) | ({more} if more else frozenset())
    kafka = frozenset(it for it in changed if isinstance(it, KafkaRight))
    kafka_acls.apply(system.kafka, {f"User:{workload}": kafka})
    mongo_roles.apply(mongo, {role: frozenset(it for it in changed if isinstance(it, MongoRight))})
    try:
        yield
    finally:
        kafka_acls.apply(system.kafka, {f"User:{workload}": acls})
        mongo_roles.apply(mongo, {role: roles})


@pytest.mark.parametrize(
    ("workload", "right", "system_name", "code"),
    [
        (GATEWAY, COMMANDS_WRITTEN, "Kafka", "ServiceLacksRights"),
        (TRIGGER, MongoRight("deliveries", "listIndexes"), "MongoDB", "ServiceLacksRights"),
        (OPERATOR, KafkaRight(TOPIC, "orders.actions", "WRITE"), "Kafka", "ClientLacksRights"),
    ],
    ids=["a service in Kafka", "a service in MongoDB", "the operator"],
)
def test_a_right_that_was_taken_away_is_named(
    system: RunningStack, workload: str, right: Right, system_name: str, code: str
) -> None:
    with other_rights(system, workload, less=right):
        first = findings(system)[0]
    assert first["code"] == code
    assert first["subject"].startswith(system_name)
    assert first["sentence"].startswith(f"The {workload} (")
    assert first["sentence"].endswith(f"in {system_name}: {right.operation} on {right.on}.")
    assert "`orders access apply" in first["helps"]
    until(lambda: said(system) == [], of="all clear")


def test_a_right_too_many_is_a_warning(system: RunningStack) -> None:
    with other_rights(system, GATEWAY, more=MongoRight("orders", "remove")):
        [found] = said(system)
    assert found == (
        "The gateway (ordermill-gateway) has 1 right in MongoDB that it doesn't need: remove on"
        " collection orders."
    )


def test_a_stranger_is_named_unless_it_is_known(system: RunningStack) -> None:
    admin = admin_client(system.kafka)
    [added] = admin.create_acls([TO_ALL_TOPICS]).values()
    added.result(SECONDS)
    try:
        until(lambda: said(system) != [], of="a finding")
        [found] = said(system)
        assert said(system, "--known", "User:backup") == []
    finally:
        [removed] = admin.delete_acls([ACLS_OF_BACKUP]).values()
        removed.result(SECONDS)
    assert found.startswith("User:backup, whom no workload names, has 1 right in Kafka")


def test_who_may_not_see_rights_is_told_so_in_one_sentence(system: RunningStack) -> None:
    sees = KafkaRight(CLUSTER, CLUSTER_NAME, "DESCRIBE")
    with other_rights(system, OPERATOR, less=sees):
        [found] = said(system)
    assert found == (
        "Not looked at: the rights in Kafka and Kafka's disks (this login lacks a right for it)."
    )


def test_names_that_nobody_has_are_not_taken_for_missing_rights(system: RunningStack) -> None:
    [found] = said(system, "--prefix", "eu-")
    assert found.startswith("Not looked at: the rights in Kafka (no principal that is named")


def test_a_login_that_nobody_changed_is_named(system: RunningStack) -> None:
    """Its profile is as old as the stack, which is made a year older."""
    profile = Path(system.profile_file(OPERATOR))
    now = profile.stat().st_mtime
    os.utime(profile, (now, now - 400 * 86_400))
    try:
        [found] = said(system)
    finally:
        os.utime(profile, (now, now))
    assert found.startswith("The login in operator.env is unchanged for 400 days")
