"""`orders access` on a stack without access control: it shows what would be made, and says so."""

from __future__ import annotations

import json

from order_contracts.topics import GATEWAY
from order_operations.workloads.table import ORDER_PUBLISHER
from support.stack.running_stack import RunningStack


def test_plan_shows_all_rights_and_says_that_there_is_no_access_control(
    stack: RunningStack,
) -> None:
    done = stack.orders("access", "plan", "--json", check=False)

    assert done.returncode == 1
    assert "has no authorizer" in done.stderr
    assert "no access control" in done.stderr
    assert "Traceback" not in done.stderr
    rows = json.loads(done.stdout)
    assert {it["kind"] for it in rows} == {"grant"}
    assert {
        "kind": "grant",
        "holder": f"User:{ORDER_PUBLISHER}",
        "operation": "WRITE",
        "on": "topic orders.commands",
    } in rows
    assert f"ordermill-{GATEWAY}" in {it["holder"] for it in rows}


def test_one_system_is_planned_for_the_principals_that_are_given(stack: RunningStack) -> None:
    only = ("access", "plan", "--only", "kafka", "--prefix", "eu-", "--json")
    done = stack.orders(*only, "--principal", "gateway=User:CN=gw,O=shop", check=False)

    holders = {it["holder"] for it in json.loads(done.stdout)}
    assert "User:CN=gw,O=shop" in holders
    assert "User:eu-order-writer" in holders
    assert not {it for it in holders if it.startswith("ordermill-")}


def test_apply_does_nothing_where_no_rights_can_be_given(stack: RunningStack) -> None:
    done = stack.orders("access", "apply", "--only", "kafka", "--json", check=False)

    assert done.returncode == 1
    assert json.loads(done.stdout) == []
    assert "has no authorizer" in done.stderr
