"""Which rights are missing, by what Kafka and MongoDB answer."""

from __future__ import annotations

from typing import Any

import pytest

from order_contracts.topics import ENRICHER, GATEWAY, WRITER
from order_runtime.access.granted import Operations, kafka_lacks, mongo_lacks
from order_runtime.access.kafka_rights import service_rights
from order_runtime.access.rights import GROUP, TOPIC, KafkaRight, MongoRight

READ, WRITE = KafkaRight(TOPIC, "orders.commands", "READ"), KafkaRight(TOPIC, "orders", "WRITE")
FIND = MongoRight("orders", "find")


def logged_in(*privileges: dict[str, Any]) -> dict[str, Any]:
    return {"authenticatedUsers": [{"user": "u"}], "authenticatedUserPrivileges": privileges}


def privilege(db: str, collection: str, *actions: str) -> dict[str, Any]:
    return {"resource": {"db": db, "collection": collection}, "actions": list(actions)}


@pytest.mark.parametrize(
    ("operations", "lacks"),
    [
        (("READ", "DESCRIBE"), False),
        (("ALL",), False),
        (None, False),
        (("DESCRIBE",), True),
        ((), True),
    ],
)
def test_an_operation_that_kafka_does_not_name_is_lacking(
    operations: Operations, lacks: bool
) -> None:
    found = kafka_lacks([READ], {(TOPIC, "orders.commands"): operations})
    assert found == ([READ] if lacks else [])


def test_of_a_hidden_topic_the_right_to_see_its_settings_is_not_counted() -> None:
    settings = KafkaRight(TOPIC, "orders.commands", "DESCRIBE_CONFIGS")
    assert kafka_lacks([READ, settings], {(TOPIC, "orders.commands"): ()}) == [READ]
    seen = {(TOPIC, "orders.commands"): ("READ",)}
    assert kafka_lacks([READ, settings], seen) == [settings]


def test_rights_are_by_resource() -> None:
    allowed: dict[tuple[str, str], Operations] = {
        (TOPIC, "orders.commands"): ("READ",),
        (TOPIC, "orders"): ("READ",),
    }
    assert kafka_lacks([READ, WRITE], allowed) == [WRITE]


@pytest.mark.parametrize(
    "given",
    [
        privilege("shop", "orders", "find", "insert"),
        privilege("shop", "", "find"),
        privilege("", "", "find"),
        privilege("shop", "orders", "anyAction"),
        {"resource": {"anyResource": True}, "actions": ["find"]},
    ],
)
def test_a_privilege_may_be_on_more_than_the_collection(given: dict[str, Any]) -> None:
    assert mongo_lacks([FIND], logged_in(given), "shop") == []


@pytest.mark.parametrize(
    "given",
    [
        privilege("shop", "orders", "insert"),
        privilege("shop", "jobs", "find"),
        privilege("other", "orders", "find"),
        {"resource": {"cluster": True}, "actions": ["find"]},
    ],
)
def test_another_privilege_gives_nothing(given: dict[str, Any]) -> None:
    assert mongo_lacks([FIND], logged_in(given), "shop") == [FIND]


def test_where_nobody_logs_in_nothing_is_lacking() -> None:
    nobody: dict[str, Any] = {"authenticatedUsers": [], "authenticatedUserPrivileges": []}
    assert mongo_lacks([FIND], nobody, "shop") == []


def test_the_gateway_writes_and_consumers_have_a_group() -> None:
    assert {it.operation for it in service_rights(GATEWAY)} == {"WRITE"}
    groups = {(it.name, it.operation) for it in service_rights(ENRICHER) if it.resource == GROUP}
    assert groups == {(ENRICHER, "READ"), (WRITER, "DESCRIBE")}
