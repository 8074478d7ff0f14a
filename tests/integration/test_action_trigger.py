"""The action-trigger as a process: every action reaches the automation trigger, once or knowingly
more than once, and what became of it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from order_contracts.derived_ids import event_id
from order_contracts.events import ActionDelivered, ActionFailed, OrderAction
from order_contracts.job import Action
from order_contracts.topics import ACTIONS_DLQ, DELIVERIES
from order_runtime.documents.jobs import stages_of
from order_runtime.kafka.records import Outgoing
from order_runtime.mongo.client import ACTION_DELIVERIES, INTEGRATION_LOG, JOBS, Document
from support.builders.actions import action_record, order_action
from support.builders.bodies import Json, unique
from support.stack.documents import find_documents, insert_jobs
from support.stack.kafka_records import headers, publish_outgoing, read_key, value
from support.stack.running_stack import RunningStack
from support.stack.wait import until
from support.stack.webhook_receiver import received_webhook_ids, received_webhooks, set_behaviour

pytestmark = pytest.mark.stack


@pytest.fixture(autouse=True)
def well_behaved(stack: RunningStack) -> Iterator[None]:
    """Whatever a test asks of the receiver, the next one finds it friendly."""
    yield
    set_behaviour(stack.receiver, times=0)


def fire(stack: RunningStack, *actions: OrderAction) -> None:
    insert_jobs(stack.mongo, stack.database, actions)
    publish_outgoing(stack.kafka, map(action_record, actions))


def stage(stack: RunningStack, action: OrderAction) -> Action:
    (job,) = find_documents(stack.mongo, stack.database, JOBS, {"_id": action.job_id})
    return stages_of(job, None, delivery(stack, action)).action


def delivery(stack: RunningStack, action: OrderAction) -> Document | None:
    found = find_documents(
        stack.mongo, stack.database, ACTION_DELIVERIES, {"_id": action.action_id}
    )
    return found[0] if found else None


def announced(stack: RunningStack, action: OrderAction) -> Document:
    def look() -> Document | None:
        found = delivery(stack, action)
        return found if found and found.get("announced") else None

    found = until(look)
    assert found is not None
    return found


def sent(stack: RunningStack, action: OrderAction) -> list[Json]:
    return [
        item
        for item in received_webhooks(stack.receiver)
        if item["headers"]["webhook-id"] == action.action_id
    ]


def test_an_action_is_delivered_once_signed_and_told(stack: RunningStack) -> None:
    action = order_action()
    fire(stack, action)
    announced(stack, action)
    (webhook,) = sent(stack, action)
    assert webhook["verified"]
    assert webhook["headers"]["content-type"] == "application/json"
    assert webhook["body"]["type"] == "order.action"
    assert webhook["body"]["data"]["order"]["orderId"] == action.order_id
    assert stage(stack, action) is Action.DELIVERED
    (record,) = read_key(stack.kafka, DELIVERIES.name, action.order_id, 1)
    told = headers(record)
    assert told["ce_type"] == ActionDelivered.TYPE
    assert told["ce_id"] == event_id(action.job_id, ActionDelivered.TYPE)
    assert told["ce_subject"] == action.order_id
    assert value(record)["attempts"] == 1


def test_a_message_that_comes_again_sends_nothing_again(stack: RunningStack) -> None:
    action = order_action()
    last = order_action(action.order_id)  # of the same partition, so behind the repeats
    fire(stack, action)
    announced(stack, action)
    publish_outgoing(stack.kafka, [action_record(action)] * 3)
    fire(stack, last)
    announced(stack, last)
    assert len(sent(stack, action)) == 1


def test_a_500_is_tried_again_five_seconds_later_with_the_same_bytes(stack: RunningStack) -> None:
    action = order_action()
    set_behaviour(stack.receiver, status=500, times=1)
    fire(stack, action)
    attempts = announced(stack, action)["attempts"]
    assert [attempt["status"] for attempt in attempts] == [500, 204]
    assert 4 < (attempts[1]["at"] - attempts[0]["at"]).total_seconds() < 9
    first, second = sent(stack, action)
    assert first["body"] == second["body"]
    assert first["headers"]["webhook-timestamp"] != second["headers"]["webhook-timestamp"]
    assert stage(stack, action) is Action.DELIVERED


def test_a_400_fails_for_good_and_everybody_can_see_it(stack: RunningStack) -> None:
    action = order_action()
    set_behaviour(stack.receiver, status=400, times=1)
    fire(stack, action)
    announced(stack, action)
    assert stage(stack, action) is Action.FAILED
    (entry,) = find_documents(
        stack.mongo, stack.database, INTEGRATION_LOG, {"jobId": action.job_id}
    )
    assert (entry["code"], entry["severity"]) == ("ActionFailed", "Error")
    (told,) = read_key(stack.kafka, DELIVERIES.name, action.order_id, 1)
    assert headers(told)["ce_type"] == ActionFailed.TYPE
    assert value(told)["reason"] == "The endpoint answered 400."
    (letter,) = read_key(stack.kafka, ACTIONS_DLQ.name, action.order_id, 1)
    assert letter.value() == action.to_json()
    assert headers(letter)["__connect.errors.exception.message"] == "The endpoint answered 400."
    assert headers(letter)["__connect.errors.topic"] == "orders.actions"


def test_what_cannot_be_read_is_a_dead_letter_and_stops_nobody(stack: RunningStack) -> None:
    order_id = unique("order")
    good = order_action(order_id)
    bad = [
        Outgoing(action_record(good).topic, order_id.encode(), value, action_record(good).headers)
        for value in (b"{", None, b'{"actionId": "a"}')
    ]
    publish_outgoing(stack.kafka, bad)
    fire(stack, good)
    announced(stack, good)
    letters = read_key(stack.kafka, ACTIONS_DLQ.name, order_id, 3)
    assert [letter.value() for letter in letters] == [record.value for record in bad]
    assert all(headers(letter)["__connect.errors.exception.message"] for letter in letters)


def test_actions_of_one_order_arrive_in_order_also_around_a_retry(stack: RunningStack) -> None:
    first = order_action()
    rest = [order_action(first.order_id) for _ in range(3)]
    set_behaviour(stack.receiver, status=503, times=1)
    fire(stack, first, *rest)
    announced(stack, rest[-1])
    mine = {action.action_id for action in (first, *rest)}
    arrived = [action_id for action_id in received_webhook_ids(stack.receiver) if action_id in mine]
    assert arrived == [first.action_id, *(action.action_id for action in (first, *rest))]


@pytest.mark.timeout(180)
@pytest.mark.faults  # the services are killed together in test_kills
def test_killed_with_a_backlog_it_loses_nothing(stack: RunningStack) -> None:
    """What was sent and not yet recorded comes twice, under the same id; nothing else does."""
    actions = [order_action() for _ in range(500)]
    mine = {action.action_id for action in actions}
    set_behaviour(stack.receiver, delaySeconds=2, times=10_000)
    fire(stack, *actions)
    until(lambda: len(mine & set(received_webhook_ids(stack.receiver))) >= 40)
    stack.kill("action-trigger")
    before = mine & set(received_webhook_ids(stack.receiver))
    assert len(mine - before) >= 200
    done = {"_id": {"$in": list(mine)}, "state": "delivered"}
    recorded = {
        item["_id"] for item in find_documents(stack.mongo, stack.database, ACTION_DELIVERIES, done)
    }
    set_behaviour(stack.receiver, times=0)
    stack.start("action-trigger")
    until(lambda: mine <= set(received_webhook_ids(stack.receiver)), seconds=60)
    for action in actions:
        announced(stack, action)
    counts = Counter(item for item in received_webhook_ids(stack.receiver) if item in mine)
    twice = {action_id for action_id, count in counts.items() if count > 1}
    assert max(counts.values()) <= 2
    assert twice <= before - recorded
    assert {stage(stack, action) for action in actions} == {Action.DELIVERED}
