"""What an operator does at night: look, try again, shut an endpoint and open it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from action_trigger.domain.circuit_breaker import THRESHOLD
from order_contracts.events import OrderAction
from order_runtime.documents.jobs import stages_of
from order_runtime.mongo.client import ACTION_DELIVERIES, JOBS
from support.builders.actions import action_record, order_action
from support.builders.bodies import Json
from support.stack.documents import find_documents, insert_jobs
from support.stack.kafka_records import publish_outgoing
from support.stack.running_stack import RunningStack
from support.stack.wait import until
from support.stack.wait import until as seen
from support.stack.webhook_receiver import received_webhook_ids, set_behaviour

pytestmark = pytest.mark.stack


@pytest.fixture(autouse=True)
def in_order(stack: RunningStack) -> Iterator[None]:
    yield
    set_behaviour(stack.receiver, times=0)
    stack.orders("deliveries", "enable", "default")


def deliveries(stack: RunningStack, *args: str) -> Any:
    return json.loads(stack.orders("deliveries", *args, "--json").stdout)


def fire(stack: RunningStack, *actions: OrderAction) -> None:
    insert_jobs(stack.mongo, stack.database, actions)
    publish_outgoing(stack.kafka, map(action_record, actions))


def listed(stack: RunningStack, action: OrderAction, state: str) -> Json | None:
    rows: list[Json] = deliveries(stack, "list", "--order", action.order_id, "--state", state)
    return rows[0] if rows else None


def trigger_has_paused(stack: RunningStack) -> bool:
    shown = httpx.get(f"{stack.part('action-trigger')['url']}/metrics").text.splitlines()
    return 'ordermill_action_trigger_endpoint_enabled{endpoint="default"} 0.0' in shown


def stage(stack: RunningStack, action: OrderAction) -> str:
    (job,) = find_documents(stack.mongo, stack.database, JOBS, {"_id": action.job_id})
    where = {"_id": action.action_id}
    (delivery,) = find_documents(stack.mongo, stack.database, ACTION_DELIVERIES, where)
    return str(stages_of(job, None, delivery).action)


def test_what_failed_is_found_shown_and_replayed_until_it_is_delivered(
    stack: RunningStack,
) -> None:
    action = order_action()
    set_behaviour(stack.receiver, status=400, times=1)
    fire(stack, action)
    row = until(lambda: listed(stack, action, "failed"))
    assert row["reason"] == "The endpoint answered 400."
    shown = deliveries(stack, "show", action.action_id)
    assert [attempt["status"] for attempt in shown["attempts"]] == [400]
    seen(lambda: stage(stack, action) == "failed")

    of_order = ("replay", "--order", action.order_id, "--since", row["createdAt"])
    assert deliveries(stack, *of_order, "--dry-run") == [row]
    assert listed(stack, action, "failed") == row
    assert deliveries(stack, *of_order) == {"replayed": 1, "notReplayed": {}}
    assert deliveries(stack, *of_order)["replayed"] == 0

    row = until(lambda: listed(stack, action, "delivered"))
    assert (row["attempts"], row["replays"]) == (2, 1)
    seen(lambda: stage(stack, action) == "delivered")
    refused = deliveries(stack, "replay", action.action_id, "no-such-action")
    assert refused["replayed"] == 0
    assert refused["notReplayed"] == {
        action.action_id: "it was delivered; --delivered sends it once more",
        "no-such-action": "there is no such delivery",
    }
    assert deliveries(stack, "replay", action.action_id, "--delivered")["replayed"] == 1
    seen(lambda: received_webhook_ids(stack.receiver).count(action.action_id) == 3)


def test_a_paused_endpoint_keeps_its_queue_until_it_is_resumed(stack: RunningStack) -> None:
    action = order_action()
    stack.orders("deliveries", "pause", "default")
    until(lambda: trigger_has_paused(stack))  # it looks once a second
    fire(stack, action)
    until(lambda: listed(stack, action, "pending"))
    (endpoint,) = deliveries(stack, "endpoints")
    assert (endpoint["state"], endpoint["by"]) == ("paused", "operator")
    assert endpoint["waiting"] >= 1
    assert action.action_id not in received_webhook_ids(stack.receiver)
    stack.orders("deliveries", "resume", "default")
    until(lambda: listed(stack, action, "delivered"))


def test_an_endpoint_that_keeps_failing_shows_its_circuit_until_an_operator_closes_it(
    stack: RunningStack,
) -> None:
    actions = [order_action() for _ in range(THRESHOLD)]
    set_behaviour(stack.receiver, status=500, times=1_000)
    fire(stack, *actions)
    shown = until(lambda: endpoint_with_circuit(stack, "open"))
    assert (shown["state"], shown["lastStatus"]) == ("enabled", 500)
    assert shown["circuitWorkers"] == ["action-trigger"]
    assert shown["circuitSince"] <= shown["lastAnswerAt"] < shown["nextProbeAt"]
    assert shown["waiting"] >= THRESHOLD
    assert listed_id(stack, shown["oldestWaiting"])["dueAt"]

    set_behaviour(stack.receiver, times=0)
    stack.orders("deliveries", "pause", "default")
    until(lambda: trigger_has_paused(stack))
    stack.orders("deliveries", "resume", "default")
    until(lambda: endpoint_with_circuit(stack, "closed"))
    for action in actions:
        until(partial(listed, stack, action, "delivered"))
    until(lambda: deliveries(stack, "endpoints")[0]["lastStatus"] == 204)


def endpoint_with_circuit(stack: RunningStack, circuit: str) -> Json | None:
    (endpoint,) = deliveries(stack, "endpoints")
    return endpoint if endpoint["circuit"] == circuit else None


def listed_id(stack: RunningStack, action_id: str) -> Json:
    shown: Json = deliveries(stack, "show", action_id)
    return shown


def test_a_disabled_endpoint_is_not_resumed_but_enabled(stack: RunningStack) -> None:
    stack.orders("deliveries", "disable", "default")
    refused = stack.orders("deliveries", "resume", "default", check=False)
    assert refused.returncode == 1
    assert "orders deliveries enable default" in refused.stderr
    assert "default is enabled" in stack.orders("deliveries", "enable", "default").stdout


def test_what_is_not_there_is_one_sentence(stack: RunningStack) -> None:
    for args, said in (
        (("show", "no-such-action"), "There is no delivery"),
        (("pause", "elsewhere"), "There is no endpoint"),
    ):
        refused = stack.orders("deliveries", *args, check=False)
        assert refused.returncode == 1
        assert said in refused.stderr
