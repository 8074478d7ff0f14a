"""The steps from the rights that are there to those that workloads need, and whose they are."""

from __future__ import annotations

import pytest

from order_contracts.topics import COMMANDS, GATEWAY
from order_operations.access.plan import (
    AccessPlan,
    AccessStep,
    AccessStepKind,
    access_steps,
    kafka_holdings,
    mongo_holdings,
    principals_by_workload,
    without_revoking,
)
from order_operations.problems import OperationFailed
from order_operations.workloads.table import EVENT_READER, ORDER_PUBLISHER, WORKLOADS
from order_runtime.access.rights import TOPIC, KafkaRight, MongoRight

WRITE = KafkaRight(TOPIC, COMMANDS.name, "WRITE")
READ = KafkaRight(TOPIC, COMMANDS.name, "READ")
DELETE = KafkaRight(TOPIC, "*", "DELETE")
SHOP = "User:shop"


def test_what_is_missing_is_granted_before_anything_is_revoked() -> None:
    wanted = {SHOP: frozenset({WRITE}), "User:till": frozenset({READ})}
    found = {SHOP: frozenset({DELETE, WRITE}), "User:stranger": frozenset({DELETE})}

    assert access_steps(wanted, found) == [
        AccessStep(AccessStepKind.GRANT, "User:till", READ),
        AccessStep(AccessStepKind.REVOKE, SHOP, DELETE),
    ]


def test_without_revoking_the_rights_of_the_release_before_stay() -> None:
    steps = access_steps({SHOP: frozenset({WRITE})}, {SHOP: frozenset({READ})})
    assert without_revoking(AccessPlan(steps, "why")) == AccessPlan(
        [AccessStep(AccessStepKind.GRANT, SHOP, WRITE)], "why"
    )


def test_nothing_is_to_be_done_where_all_is_as_it_is_to_be() -> None:
    wanted = kafka_holdings(principals_by_workload())
    assert access_steps(wanted, wanted) == []
    assert access_steps(mongo_holdings(), mongo_holdings()) == []


def test_a_right_from_one_host_is_another_right() -> None:
    narrow = KafkaRight(TOPIC, COMMANDS.name, "WRITE", host="10.0.0.1")
    steps = access_steps({SHOP: frozenset({WRITE})}, {SHOP: frozenset({narrow})})
    assert [(it.kind, it.right) for it in steps] == [
        (AccessStepKind.GRANT, WRITE),
        (AccessStepKind.REVOKE, narrow),
    ]
    assert narrow.on == "topic orders.commands from 10.0.0.1"


def test_principals_are_named_as_their_workloads_unless_they_are_given() -> None:
    named = ["gateway=User:CN=gateway,O=shop", "order-publisher=User:a", "order-publisher=User:b"]

    found = principals_by_workload("shop-", named)

    assert found[GATEWAY] == ["User:CN=gateway,O=shop"]
    assert found[ORDER_PUBLISHER] == ["User:a", "User:b"]
    assert found[EVENT_READER] == ["User:shop-event-reader"]
    assert found.keys() == {it.name for it in WORKLOADS}


def test_a_principal_of_two_workloads_has_the_rights_of_both() -> None:
    named = [f"order-publisher={SHOP}", f"event-reader={SHOP}"]
    rights = kafka_holdings(principals_by_workload(named=named))[SHOP]
    assert {WRITE, KafkaRight("GROUP", "shop.", "READ", prefixed=True)} <= rights


@pytest.mark.parametrize("named", ["shop=User:shop", "gateway", "gateway=shop", "gateway=User:*"])
def test_a_principal_that_is_none_is_refused(named: str) -> None:
    with pytest.raises(OperationFailed):
        principals_by_workload(named=[named])


def test_roles_are_of_those_who_use_the_database() -> None:
    roles = mongo_holdings()
    assert "ordermill-order-publisher" not in roles
    assert MongoRight("orders", "find") in roles["ordermill-gateway"]
