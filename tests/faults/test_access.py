"""Each workload with its own logins and rights: what it needs works, and the rest is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

from order_contracts.topics import ENRICHER, MIGRATOR, OPERATOR, TRIGGER, WRITER
from order_operations.access.kafka_acls import EVERY_ACL
from order_operations.connections.kafka_client import admin_client
from order_operations.workloads.table import (
    EVENT_READER,
    ORDER_PUBLISHER,
    WORKLOADS,
    Workload,
)
from order_runtime.access.rights import GROUP, TOPIC, KafkaRight
from order_runtime.kafka.address import librdkafka_config
from order_runtime.mongo.collections import COLLECTIONS
from support.builders.bodies import order_body, unique
from support.stack.api_client import ApiClient
from support.stack.consumer_groups import group_is_empty
from support.stack.kafka_adversary import (
    SECONDS,
    allowed,
    altered,
    commits,
    created,
    deleted,
    emptied,
    read,
    seen,
    written,
)
from support.stack.running_stack import DATABASE, RunningStack, running_stack
from support.stack.wait import until
from support.stack.webhook_receiver import received_webhook_ids

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.timeout(300)]

EACH = pytest.mark.parametrize("workload", WORKLOADS, ids=lambda it: it.name)
UNAUTHORIZED = 13
READS = {WRITER: "orders.commands", ENRICHER: "orders.events", TRIGGER: "orders.actions"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack that denies by default; its services and the command have their workloads' logins."""
    home = tmp_path_factory.mktemp("secure")
    with running_stack(home, "--secure", "--partitions", "1") as started:
        yield started


def test_services_and_commands_need_no_other_rights(system: RunningStack, tmp_path: Path) -> None:
    """From reference data and the POST to the webhook, and what an operator looks at."""
    contact = unique("contact")
    entries = tmp_path / "contacts.ndjson"
    entries.write_text(json.dumps({"contactId": contact}))
    system.orders("reference", "load", str(entries))
    key = {"matchKey": contact, "matchKeyType": "ContactId"}
    api = ApiClient(system)
    body = order_body(contact=key, orderAction={"action": "ConfirmOrder"})
    job = api.settled(api.registered(body))
    assert job["stages"] == {"storage": "done", "enrichment": "done", "action": "delivered"}
    assert len(received_webhook_ids(system.receiver)) == 1
    for command in (
        ("dlq", "list"),
        ("deliveries", "list"),
        ("deliveries", "endpoints"),
        ("deliveries", "replay", "--state", "failed"),
        ("offsets", "plan"),
        ("reference", "count"),
        ("privacy", "export", contact),
        ("privacy", "erase", contact),
    ):
        system.orders(*command)
    for service in READS:
        system.kill(service, "TERM")
    until(lambda: all(group_is_empty(system, it) for it in READS), of="groups without members")
    system.orders("offsets", "apply")
    for service in READS:
        system.start(service)
    logs = system.command.log_tails("gateway", *READS).lower()
    assert "authoriz" not in logs
    assert "refuses" not in logs


def test_plan_shows_what_is_superfluous_and_apply_revokes_it(system: RunningStack) -> None:
    """Of the workloads alone: what a stranger may do is nobody's business here."""
    admin, role = admin_client(system.kafka), "ordermill-gateway"
    for principal in (f"User:{ORDER_PUBLISHER}", "User:stranger"):
        [added] = admin.create_acls([acl(principal, "orders.events")]).values()
        added.result(SECONDS)
    with MongoClient[dict[str, Any]](system.mongo) as mongo:
        resource = {"db": DATABASE, "collection": "orders"}
        privileges = [{"resource": resource, "actions": ["find", "remove"]}]
        mongo[DATABASE].command(
            {"grantPrivilegesToRole": role, "privileges": privileges},
        )
    wanted = [
        ("revoke", f"User:{ORDER_PUBLISHER}", "WRITE", "topic orders.events"),
        ("revoke", role, "remove", "collection orders"),
    ]

    assert rows(system, "apply", "--grant-only") == []
    assert rows(system, "plan") == wanted
    assert rows(system, "apply") == wanted

    assert rows(system, "plan") == []
    holders = {it.principal for it in admin.describe_acls(EVERY_ACL).result(SECONDS)}
    assert "User:stranger" in holders


def test_who_may_not_see_rights_is_told_what_it_takes(system: RunningStack) -> None:
    for part, sentence in (("kafka", "Describe on the cluster"), ("mongo", "viewRole")):
        login = ("--profile", str(system.profile_file(MIGRATOR)))
        done = system.orders("access", "plan", "--only", part, *login, check=False)
        assert done.returncode == 1
        assert sentence in done.stderr


def test_an_operator_sees_rights_and_changes_none(system: RunningStack) -> None:
    login = ("--profile", str(system.profile_file(OPERATOR)))
    assert rows(system, "plan", *login) == []
    address = system.profile(OPERATOR).kafka_address()
    own = acl(f"User:{OPERATOR}", "orders.commands")
    assert allowed(admin_client(address).create_acls([own])) == set()
    everything = {"resource": {"db": DATABASE, "collection": ""}, "actions": ["remove"]}
    role = {"grantPrivilegesToRole": f"ordermill-{OPERATOR}", "privileges": [everything]}
    with MongoClient[dict[str, Any]](mongo_of(system, OPERATOR)) as client:
        assert not permitted(lambda: client[DATABASE].command(role))


@EACH
def test_kafka_refuses_what_is_not_in_the_table(system: RunningStack, workload: Workload) -> None:
    address = system.profile(workload.name).kafka_address()
    admin = admin_client(address)

    def having(*operations: str) -> set[str]:
        rights = workload.kafka
        return {it.name for it in rights if it.resource == TOPIC and it.operation in operations}

    assert written(librdkafka_config(address)) == having("WRITE")
    assert read(librdkafka_config(address)) == having("READ")
    assert seen(admin) == having("DESCRIBE_CONFIGS", "ALTER_CONFIGS")
    assert altered(admin) == having("ALTER_CONFIGS")
    assert created(admin) == having("CREATE")
    assert deleted(admin) == set()
    assert emptied(admin) == set()
    own = acl(f"User:{workload.name}", "orders.commands")
    assert allowed(admin.create_acls([own])) == set()
    groups = {
        it for it in READS if KafkaRight(GROUP, it, "READ") in workload.kafka
    }  # whoever may set a group's offsets reads its topics too
    assert {it for it in READS if commits(admin, it, READS[it])} == groups


def test_an_event_reader_has_groups_of_its_own_name(system: RunningStack) -> None:
    admin = admin_client(system.profile(EVENT_READER).kafka_address())
    assert commits(admin, "event-reader.dashboard", "orders.events")
    assert not commits(admin, "another-reader.dashboard", "orders.events")


@EACH
def test_mongodb_refuses_what_is_not_in_the_table(system: RunningStack, workload: Workload) -> None:
    attempts: dict[str, Callable[[Database[Any], str], object]] = {
        "find": lambda database, name: database[name].find_one(),
        "insert": lambda database, name: database[name].insert_one({"_id": unique("adversary")}),
        "update": lambda database, name: database[name].update_one(
            {"_id": "-"}, {"$set": {"a": 1}}
        ),
        "remove": lambda database, name: database[name].delete_one({"_id": "-"}),
        "listIndexes": lambda database, name: database[name].list_indexes().to_list(),
        "dropCollection": lambda database, name: database[name].drop(),
        "createIndex": lambda database, name: database[name].create_index("_id"),
        "renameCollection": lambda database, name: database[name].rename(f"{name}2"),
    }
    with MongoClient[dict[str, Any]](mongo_of(system, workload.name)) as client:
        database = client[DATABASE]
        done = {
            (collection.name, action)
            for collection in COLLECTIONS
            for action, attempt in attempts.items()
            if permitted(lambda attempt=attempt, it=collection: attempt(database, it.name))  # type: ignore[misc]
        }
        wanted = {(it.collection, it.operation) for it in workload.mongo}
        assert done == {it for it in wanted if it[1] in attempts and it[0]}
        for forbidden in (
            lambda: database.command({"createUser": "u", "pwd": "p", "roles": []}),
            lambda: database.command({"grantRolesToUser": workload.name, "roles": ["dbOwner"]}),
            lambda: client.drop_database(DATABASE),
            client["another"]["orders"].find_one,
            lambda: client.admin.command({"getParameter": 1, "logLevel": 1}),
        ):
            assert not permitted(forbidden)


def acl(principal: str, topic: str) -> AclBinding:
    on = ResourceType.TOPIC, topic, ResourcePatternType.LITERAL
    return AclBinding(*on, principal, "*", AclOperation.WRITE, AclPermissionType.ALLOW)


def rows(system: RunningStack, *command: str) -> list[tuple[str, ...]]:
    shown = json.loads(system.orders("access", *command, "--json").stdout)
    return [tuple(it[name] for name in ("kind", "holder", "operation", "on")) for it in shown]


def mongo_of(system: RunningStack, workload: str) -> str:
    """Return the workload's URI; one that has no user tries without a login."""
    profile = system.profile(workload)
    uri: str = profile.mongo_address().uri if profile.mongo else system.status()["mongo"]
    return uri


def permitted(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OperationFailure as error:
        if error.code != UNAUTHORIZED:
            raise
        return False
    return True
