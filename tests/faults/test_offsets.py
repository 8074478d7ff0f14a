"""Records that were deleted unread, or a topic made anew: a consumer stops and says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from order_contracts.topics import ACTIONS, COMMANDS, ENRICHER, EVENTS, TRIGGER, WRITER, Topic
from support.builders.bodies import Json, contact_body, matching, order_body
from support.stack.consumer_groups import (
    delete_records_before,
    end_offsets,
    lag,
    members,
    recreate_topic,
    set_offsets,
)
from support.stack.kafka_records import publish_records, register_record
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(400)]

SECONDS = 120.0  # for what takes some seconds on a machine that does nothing else
TOPICS = {TRIGGER: ACTIONS, ENRICHER: EVENTS, WRITER: COMMANDS}
each_service = pytest.mark.parametrize(("service", "topic"), TOPICS.items(), ids=TOPICS)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of its own, since its topics lose records."""
    with running_stack(tmp_path_factory.mktemp("orders-home"), seconds=300) as started:
        yield started


@pytest.fixture(scope="module")
def contact(own: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Json:
    known = contact_body()
    file = tmp_path_factory.mktemp("contacts") / "contacts.ndjson"
    file.write_text(json.dumps(known))
    own.orders("reference", "load", str(file))
    return matching(known)


@each_service
def test_a_consumer_whose_records_were_deleted_unread_stops_with_a_sentence(
    own: RunningStack, contact: Json, service: str, topic: Topic
) -> None:
    """
    It says so at each start, until an operator sets its offsets as docs/operating.md tells.
    """
    settled(own, service, topic, register_some(own, contact))
    own.kill(service, "TERM")
    before = end_offsets(own, topic.name)
    register_some(own, contact)
    until(
        lambda: sum(end_offsets(own, topic.name).values()) > sum(before.values()), seconds=SECONDS
    )
    begins = end_offsets(own, topic.name)
    delete_records_before(own, topic.name, begins)

    refused = own.orders("start", service, check=False)

    assert refused.returncode != 0
    assert f"{topic.name} " in last_words(own, service)
    assert "was deleted before it was read" in last_words(own, service)
    assert not members(own, service)
    set_offsets(own, service, topic.name, begins)
    own.start(service)
    settled(own, service, topic, register_some(own, contact))


@each_service
def test_a_consumer_whose_topic_is_made_anew_stops_with_a_sentence(
    own: RunningStack, contact: Json, service: str, topic: Topic
) -> None:
    """
    Started again, it reads the new topic from its beginning.
    """
    settled(own, service, topic, register_some(own, contact))
    recreate_topic(own, topic)
    sent = register_some(own, contact)

    until(lambda: own.part(service)["pid"] is None, seconds=SECONDS, of=f"{service} stops")
    assert topic.name in last_words(own, service)
    for stopped in (it["name"] for it in own.status()["services"] if it["pid"] is None):
        own.start(stopped)
    settled(own, service, topic, sent)


def register_some(own: RunningStack, contact: Json) -> int:
    """Publish orders that ask for an action, on all partitions; return how many."""
    action = {"action": "ConfirmOrder"}
    bodies = [order_body(contact=contact, orderAction=action) for _ in range(100)]
    return len(publish_records(own.kafka, [register_record(body) for body in bodies]))


def settled(own: RunningStack, service: str, topic: Topic, count: int) -> None:
    """Wait until a topic has *count* records at least and its service has read them all."""
    until(
        lambda: sum(end_offsets(own, topic.name).values()) >= count, seconds=SECONDS, of=topic.name
    )
    until(lambda: lag(own.kafka, service, topic.name) == 0, seconds=SECONDS, of=service)


def last_words(own: RunningStack, service: str) -> str:
    """Return the last line that a service logged as critical."""
    log: Path = own.command.home / own.name / "logs" / f"{service}.log"
    said = [line for line in log.read_text().splitlines() if '"level": "critical"' in line]
    return said[-1] if said else ""
