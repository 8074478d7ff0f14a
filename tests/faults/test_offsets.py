"""Records deleted before they were read, or a topic recreated: the consumer stops with a reason."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from order_contracts.topics import ACTIONS, COMMANDS, ENRICHER, EVENTS, TRIGGER, WRITER, Topic
from support.builders.bodies import Json, contact_body, matching, order_body
from support.builders.raw_records import register_record
from support.stack.consumer_groups import (
    delete_records_before,
    end_offsets,
    lag,
    members,
    recreate_topic,
)
from support.stack.kafka_records import publish_records
from support.stack.running_stack import RunningStack, running_stack
from support.stack.service_logs import last_words
from support.stack.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

SECONDS = 120.0  # for what takes some seconds on an idle machine
TOPICS = {TRIGGER: ACTIONS, ENRICHER: EVENTS, WRITER: COMMANDS}
each_service = pytest.mark.parametrize(("service", "topic"), TOPICS.items(), ids=TOPICS)


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of its own, since its topics lose records."""
    with running_stack(tmp_path_factory.mktemp("orders-home"), seconds=300) as started:
        yield started


@pytest.fixture(scope="module")
def contact(own_stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Json:
    known = contact_body()
    file = tmp_path_factory.mktemp("contacts") / "contacts.ndjson"
    file.write_text(json.dumps(known))
    own_stack.orders("reference", "load", "--wait", str(file))
    return matching(known)


@each_service
def test_a_consumer_whose_records_were_deleted_unread_stops_with_a_sentence(
    own_stack: RunningStack, contact: Json, service: str, topic: Topic
) -> None:
    """
    It fails at each start until an operator sets its offsets as docs/operating.md describes.
    """
    wait_until_read(own_stack, service, topic, register_orders(own_stack, contact))
    own_stack.kill(service, "TERM")
    before = end_offsets(own_stack, topic.name)
    register_orders(own_stack, contact)
    until(
        lambda: sum(end_offsets(own_stack, topic.name).values()) > sum(before.values()),
        seconds=SECONDS,
    )
    begins = end_offsets(own_stack, topic.name)
    delete_records_before(own_stack, topic.name, begins)

    refused = own_stack.orders("start", service, check=False)

    assert refused.returncode != 0
    assert f"{topic.name} " in last_words(own_stack, service)
    assert "was deleted before it was read" in last_words(own_stack, service)
    assert not members(own_stack, service)
    assert own_stack.orders("offsets", "apply", check=False).returncode == 1
    own_stack.orders("offsets", "apply", "--accept-loss")
    own_stack.start(service)
    wait_until_read(own_stack, service, topic, register_orders(own_stack, contact))


@each_service
def test_a_consumer_whose_topic_is_made_anew_stops_with_a_sentence(
    own_stack: RunningStack, contact: Json, service: str, topic: Topic
) -> None:
    """
    Started again, it reads the new topic from its beginning.

    Where a commit of before came after the topic was made anew, it refuses until that is set back.
    """
    wait_until_read(own_stack, service, topic, register_orders(own_stack, contact))
    recreate_topic(own_stack, topic)
    sent = register_orders(own_stack, contact)

    until(lambda: own_stack.part(service)["pid"] is None, seconds=SECONDS, of=f"{service} stops")
    assert topic.name in last_words(own_stack, service)
    for stopped in (it["name"] for it in own_stack.status()["services"] if it["pid"] is None):
        if own_stack.orders("start", stopped, check=False).returncode:
            assert "made anew" in last_words(own_stack, stopped)
            own_stack.orders("offsets", "apply")
            own_stack.start(stopped)
    wait_until_read(own_stack, service, topic, sent)


def register_orders(own_stack: RunningStack, contact: Json) -> int:
    """Publish orders that ask for an action, on all partitions; return how many."""
    action = {"action": "ConfirmOrder"}
    bodies = [order_body(contact=contact, orderAction=action) for _ in range(100)]
    return len(publish_records(own_stack.kafka, [register_record(body) for body in bodies]))


def wait_until_read(own_stack: RunningStack, service: str, topic: Topic, count: int) -> None:
    """Wait until a topic has *count* records at least and its service has read them all."""
    until(
        lambda: sum(end_offsets(own_stack, topic.name).values()) >= count,
        seconds=SECONDS,
        of=topic.name,
    )
    until(lambda: lag(own_stack.kafka, service, topic.name) == 0, seconds=SECONDS, of=service)
