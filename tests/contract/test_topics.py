"""The topics are those of the contract, and each has the one writer that it declares."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from order_contracts import topics
from order_contracts.topics import (
    ACTIONS,
    ARTICLES,
    COMMANDS,
    CONTACTS,
    DELIVERIES,
    ENRICHED,
    EVENTS,
    HANDLED,
    OPERATOR,
    PUBLIC,
    STORES,
    TOPICS,
    Topic,
)

DAY = 24 * 60 * 60 * 1000
MIB = 1024 * 1024
SERVICES = Path(__file__).parents[2] / "services"
ROOMS = ["gateway", "order-writer", "enricher", "action-trigger"]
CONSTANTS = {name: each for name, each in vars(topics).items() if isinstance(each, Topic)}
NAMES = {"GATEWAY": "gateway", "WRITER": "order-writer"} | {
    "ENRICHER": "enricher",
    "TRIGGER": "action-trigger",
}

DELETED_AFTER = {
    "orders.commands": (7, 1),
    "orders.events": (7, 4),
    "orders.enriched": (7, 1),
    "orders.actions": (7, 4),
    "orders.deliveries": (7, 1),
    "orders.commands.dlq": (14, 1),
    "orders.events.dlq": (14, 4),
    "orders.actions.dlq": (14, 4),
    "orders.dlq.handled": (15, 1),
}
"""Days, and MiB of the largest message; a dead letter has room for its reason besides."""


def sources(room: str) -> Iterator[ast.Module]:
    for path in sorted((SERVICES / room).rglob("*.py")):
        yield ast.parse(path.read_text(), str(path))


def calls(module: ast.Module, name: str) -> list[ast.Call]:
    nodes = (node for node in ast.walk(module) if isinstance(node, ast.Call))
    return [node for node in nodes if isinstance(node.func, ast.Name) and node.func.id == name]


def topics_of(module: ast.Module) -> set[str]:
    """Return the topics that a module imports, by the names of their constants."""
    imports = (node for node in ast.walk(module) if isinstance(node, ast.ImportFrom))
    ours = (node for node in imports if node.module == "order_contracts.topics")
    return {alias.name for node in ours for alias in node.names} & set(CONSTANTS)


def test_the_topics_are_those_of_the_contract() -> None:
    reference = {"reference.contacts", "reference.articles", "reference.stores"}
    assert {topic.name for topic in TOPICS} == set(DELETED_AFTER) | reference
    assert set(CONSTANTS.values()) == set(TOPICS)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_time_is_the_brokers_and_keys_have_twelve_partitions(topic: Topic) -> None:
    """A publisher's clock must not delete records unread; adding partitions breaks the order."""
    assert topic.config["message.timestamp.type"] == "LogAppendTime"
    assert topic.partitions == 12


@pytest.mark.parametrize(("name", "limits"), DELETED_AFTER.items())
def test_a_topic_is_kept_and_bounded_as_promised(name: str, limits: tuple[int, int]) -> None:
    (topic,) = (topic for topic in TOPICS if topic.name == name)
    days, mib = limits
    room = topics.DEAD_LETTER_HEADERS if name.endswith(".dlq") else 0
    assert topic.config["cleanup.policy"] == "delete"
    assert topic.config["retention.ms"] == str(days * DAY)
    assert topic.config["max.message.bytes"] == str(mib * MIB + room)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_what_others_write_is_stored_uncompressed(topic: Topic) -> None:
    """The limit of a record's size is then one of what consumers unpack."""
    stored = topic.config.get("compression.type")
    assert stored == ("uncompressed" if PUBLIC in topic.writers else None)


@pytest.mark.parametrize("topic", [CONTACTS, ARTICLES, STORES], ids=lambda topic: topic.name)
def test_reference_data_is_kept_for_good(topic: Topic) -> None:
    """A tombstone long enough that a consumer which was away a month still sees it."""
    assert topic.config["cleanup.policy"] == "compact"
    assert topic.config["delete.retention.ms"] == str(30 * DAY)
    assert topic.config["min.compaction.lag.ms"] == str(7 * DAY)
    assert "retention.ms" not in topic.config
    assert topic.writers == {PUBLIC}


def test_every_topic_but_the_public_one_has_one_writing_service() -> None:
    assert {OPERATOR} == HANDLED.writers
    for topic in set(TOPICS) - {COMMANDS, HANDLED, CONTACTS, ARTICLES, STORES}:
        assert len(topic.writers & set(ROOMS)) == 1, topic.name
        assert PUBLIC not in topic.writers, topic.name
    assert PUBLIC in COMMANDS.writers


def test_the_flow_is_that_of_the_design() -> None:
    assert {"order-writer"} == COMMANDS.readers == EVENTS.writers
    assert {"enricher"} == EVENTS.readers - {PUBLIC} == ENRICHED.writers == ACTIONS.writers
    assert {"action-trigger"} == ACTIONS.readers - {PUBLIC} == DELIVERIES.writers


@pytest.mark.parametrize("room", ROOMS)
def test_a_service_publishes_only_to_its_own_topics(room: str) -> None:
    """Read from the source: whoever builds records names no topic that is another's."""
    building = [module for module in sources(room) if calls(module, "Outgoing")]
    named = set().union(*map(topics_of, building))
    assert named, "nothing is published: this law would hold by itself"
    assert {name for name in named if room not in CONSTANTS[name].writers} == set()


@pytest.mark.parametrize("room", ROOMS)
def test_a_service_sends_dead_letters_in_its_own_name(room: str) -> None:
    """Into the topics that are its own, since it reads what they are of."""
    keywords = (
        keyword.value
        for module in sources(room)
        for call in calls(module, "dead_letter")
        for keyword in call.keywords
        if keyword.arg == "service"
    )
    assert {NAMES[value.id] for value in keywords if isinstance(value, ast.Name)} <= {room}


@pytest.mark.parametrize("room", ROOMS)
def test_a_service_names_only_topics_it_has_to_do_with(room: str) -> None:
    named = set().union(*map(topics_of, sources(room)))
    strangers = {
        name for name in named if room not in CONSTANTS[name].writers | CONSTANTS[name].readers
    }
    assert strangers == set()


def test_who_reads_a_topic_writes_its_dead_letters() -> None:
    letters = {topic.name: topic for topic in TOPICS if topic.name.endswith(".dlq")}
    for topic in TOPICS:
        letter = letters.get(f"{topic.name}.dlq")
        if letter is not None:
            assert letter.writers == topic.readers - {PUBLIC}
