"""The drills of docs/runbooks/loss.md: what is lost, what comes back, and what comes twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from order_contracts.topics import ACTIONS, COMMANDS, CONTACTS, ENRICHER, EVENTS, TRIGGER, WRITER
from support.builders.bodies import Json, contact_body, matching, order_body
from support.faults.database_backup import backup, restore
from support.faults.loss_drill import (
    CONFIRM,
    accepted,
    body,
    bulk,
    fired,
    loaded,
    missing,
    post,
    unfinished,
    webhooks,
    without_id,
)
from support.faults.lost_topics import SERVICES, lose_topics, recovery, replace_kafka, stop
from support.faults.runbook import runbook
from support.history.quiescence import wait_until_quiet
from support.stack.api_client import ApiClient
from support.stack.consumer_groups import delete_records_before, end_offsets, lag
from support.stack.kafka_records import publish_records
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

SECONDS = 120.0
COUNT = 24  # orders of a step: about two for each partition
CONSUMERS = (WRITER, ENRICHER, TRIGGER)


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of its own, since its topics are lost."""
    with running_stack(tmp_path_factory.mktemp("orders-home"), seconds=300) as started:
        yield started


@pytest.fixture
def contact(own_stack: RunningStack, tmp_path: Path) -> Json:
    return loaded(own_stack, tmp_path, contact_body())


def test_the_commands_topic_is_lost_with_commands_that_nobody_read(
    own_stack: RunningStack, contact: Json
) -> None:
    """
    Their jobs stay Accepted; who sends them again under the same key has them applied once.

    The new topic has the offsets of the old one again: what comes there is no repeat of what was
    applied from there, also where its id is derived from its place.
    """
    api, anonymous = ApiClient(own_stack), without_id(order_body(contact=matching(contact)))
    kept = accepted(api, COUNT, contact)
    publish_records(own_stack.kafka, [anonymous])
    wait_until_quiet(own_stack)
    sent = webhooks(own_stack)
    stop(own_stack, WRITER)
    lost = [{**body(contact), "orderAction": CONFIRM} for _ in range(COUNT)]
    promised = [post(api, it, key=it["orderId"]) for it in lost]
    again = without_id(order_body(contact=matching(contact)))

    lose_topics(own_stack, COMMANDS)
    with recovery("orders.commands"), runbook(own_stack, "orders.commands is lost") as steps:
        stop(own_stack, *SERVICES)
        steps.next()
        own_stack.orders("start", "--all")
        assert missing(api, [it["orderId"] for it in lost]) == {it["orderId"] for it in lost}
        assert {api.job(it).json()["status"] for it in promised} == {"Accepted"}
        renewed = [post(api, it, key=it["orderId"]) for it in lost]
        publish_records(own_stack.kafka, [again])
        wait_until_quiet(own_stack)

    assert missing(api, [it["orderId"] for it in lost]) == set()
    assert {api.job(it).json()["status"] for it in [*renewed, *kept]} == {"Completed"}
    assert {api.job(it).json()["status"] for it in promised} == {"Accepted"}
    assert missing(api, [str(anonymous.key), str(again.key)]) == set()
    new = webhooks(own_stack)[len(sent) :]
    assert len(new) == len(set(new)) == COUNT, "each of the renewed once, and none of before"


def test_the_events_topic_is_lost_with_events_that_nobody_read(
    own_stack: RunningStack, contact: Json
) -> None:
    api = ApiClient(own_stack)
    accepted(api, COUNT, contact)
    wait_until_quiet(own_stack)
    sent = webhooks(own_stack)
    stop(own_stack, ENRICHER)
    jobs = accepted(api, COUNT, contact)
    until(lambda: lag(own_stack.kafka, WRITER, COMMANDS.name) == 0, seconds=SECONDS)

    lose_topics(own_stack, EVENTS)
    with recovery("orders.events"), runbook(own_stack, "orders.events is lost") as steps:
        stop(own_stack, *SERVICES)
        steps.next()
        own_stack.orders("start", "--all")
        later = accepted(api, COUNT, contact)
        until(lambda: unfinished(own_stack) == dict.fromkeys(jobs, "enrichment"))
        steps.next()
        wait_until_quiet(own_stack)

    assert unfinished(own_stack) == {}
    assert {api.job(it).json()["stages"]["action"] for it in [*jobs, *later]} == {"delivered"}
    new = webhooks(own_stack)[len(sent) :]
    assert len(new) == len(set(new)) == len([*jobs, *later])


def test_the_actions_topic_is_lost_with_actions_that_nobody_read(
    own_stack: RunningStack, contact: Json, tmp_path: Path
) -> None:
    """Among them one that had been held until its contact came."""
    api, late = ApiClient(own_stack), contact_body()
    held = accepted(api, 1, late)
    accepted(api, COUNT, contact)
    wait_until_quiet(own_stack)
    assert api.job(held[0]).json()["stages"]["action"] == "held"
    sent = webhooks(own_stack)
    stop(own_stack, TRIGGER)
    jobs = accepted(api, COUNT, contact)
    loaded(own_stack, tmp_path, late)
    until(lambda: fired(own_stack, [*held, *jobs]) == COUNT + 1, seconds=SECONDS)

    lose_topics(own_stack, ACTIONS)
    with recovery("orders.actions"), runbook(own_stack, "orders.actions is lost") as steps:
        stop(own_stack, *SERVICES)
        steps.next()
        assert "reference.contacts" in rewound(own_stack)
        own_stack.orders("start", "--all")
        wanted = dict.fromkeys([*held, *jobs], "delivery")
        until(lambda: unfinished(own_stack) == wanted)
        steps.next()
        wait_until_quiet(own_stack)

    assert unfinished(own_stack) == {}
    new = webhooks(own_stack)[len(sent) :]
    assert len(new) == len(set(new)) == len(wanted)


def test_all_of_kafka_is_replaced_by_an_empty_one(
    own_stack: RunningStack, contact: Json, tmp_path: Path
) -> None:
    """MongoDB is kept: what was stored stays, and what follows from it is done."""
    api = ApiClient(own_stack)
    kept = accepted(api, COUNT, contact)
    wait_until_quiet(own_stack)
    sent = webhooks(own_stack)
    stop(own_stack, ENRICHER)
    stored = accepted(api, COUNT, contact)
    until(lambda: lag(own_stack.kafka, WRITER, COMMANDS.name) == 0, seconds=SECONDS)
    stop(own_stack, WRITER)
    lost = [body(contact) for _ in range(COUNT)]
    promised = [post(api, it, key=it["orderId"]) for it in lost]

    with recovery("Kafka"), runbook(own_stack, "All of Kafka is lost") as steps:
        stop(own_stack, *SERVICES)
        replace_kafka(own_stack)
        steps.next()
        own_stack.orders("start", "--all")
        other = loaded(own_stack, tmp_path, contact, contact_body())
        assert unfinished(own_stack) == dict.fromkeys(stored, "enrichment")
        steps.next()
        gone = missing(api, [it["orderId"] for it in lost])
        renewed = [post(api, it, key=it["orderId"]) for it in lost if it["orderId"] in gone]
        later = accepted(api, COUNT, other)
        wait_until_quiet(own_stack)

    assert len(renewed) == COUNT
    assert {api.job(it).json()["status"] for it in promised} == {"Accepted"}
    done = [*kept, *stored, *renewed, *later]
    assert {api.job(it).json()["status"] for it in done} == {"Completed"}
    new = webhooks(own_stack)[len(sent) :]
    assert len(new) == len(set(new)) == len([*stored, *later])
    assert json.loads(own_stack.orders("offsets", "plan", "--json").stdout) == []


def test_the_backup_of_mongodb_is_older_than_what_kafka_keeps(
    own_stack: RunningStack, contact: Json
) -> None:
    """
    What lies between is lost, and its senders learn what; what came after it is done again.

    Its webhooks come again under their ids. What is sent again as history sends none.
    """
    api = ApiClient(own_stack)
    wait_until_quiet(own_stack)
    saved = backup(own_stack)
    between = [{**body(contact), "orderAction": CONFIRM} for _ in range(COUNT)]
    for it in between:
        post(api, it)
    wait_until_quiet(own_stack)
    for topic in (COMMANDS, EVENTS, ACTIONS):
        delete_records_before(own_stack, topic.name, end_offsets(own_stack, topic.name))
    after = accepted(api, COUNT, contact)
    wait_until_quiet(own_stack)
    sent = webhooks(own_stack)

    heading = "The backup of MongoDB is older than what Kafka keeps"
    with recovery("MongoDB, by an old backup"), runbook(own_stack, heading) as steps:
        stop(own_stack, *CONSUMERS)
        restore(own_stack, saved)
        steps.next()
        steps.next()
        refused = own_stack.orders("offsets", "apply", check=False)
        assert (refused.returncode, "POST /orders/check" in refused.stderr) == (1, True)
        steps.next()
        own_stack.orders("start", "--all")
        wait_until_quiet(own_stack)
        gone = missing(api, [it["orderId"] for it in between])
        rows = [it for it in between if it["orderId"] in gone]
        assert bulk(api, rows, actions="suppress").status_code == 202
        wait_until_quiet(own_stack)

    assert gone == {it["orderId"] for it in between}
    assert missing(api, sorted(gone)) == set()
    assert {api.job(it).json()["status"] for it in after} == {"Completed"}
    again = webhooks(own_stack)[len(sent) :]
    assert len(again) == len(set(again)) == len(after)
    assert set(again) <= set(sent)


def rewound(stack: RunningStack) -> str:
    """Have the enricher read its contacts once more, which changes nothing; return what is said."""
    found = stack.orders("offsets", "rewind", ENRICHER, "--topic", CONTACTS.name, "--since", "1h")
    return found.stdout
