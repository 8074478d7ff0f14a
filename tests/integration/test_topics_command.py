"""`orders topics` on a real Kafka: what is missing is made, what differs is repaired or said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
)

from order_contracts.topics import ARTICLES, COMMANDS, DELIVERIES, TOPICS, Topic
from order_operations.connections.kafka_client import admin_client
from order_operations.problems import OperationFailed
from order_operations.topics import kafka_topics
from order_operations.topics.plan import TopicStepKind
from support.builders.bodies import unique
from support.stack.running_stack import RunningStack
from support.stack.wait import until

SECONDS = 30.0


@pytest.fixture
def admin(stack: RunningStack) -> AdminClient:
    return admin_client(stack.kafka)


@pytest.fixture
def topics(admin: AdminClient) -> Iterator[list[Topic]]:
    """Two topics that nobody else uses, and that aren't there yet."""
    yield (own := [replace(it, name=unique(it.name), partitions=3) for it in (COMMANDS, ARTICLES)])
    there = admin.list_topics(timeout=SECONDS).topics
    names = [it.name for it in own if it.name in there]
    for deleted in (admin.delete_topics(names) if names else {}).values():
        deleted.result(SECONDS)


def alter(admin: AdminClient, topic: str, setting: str, value: str) -> None:
    entry = ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(SECONDS)


def config(admin: AdminClient, topic: str) -> dict[str, str]:
    [answer] = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]).values()
    return {name: entry.value for name, entry in answer.result(SECONDS).items()}


def test_missing_topics_are_created_and_a_second_apply_does_nothing(
    stack: RunningStack, admin: AdminClient, topics: list[Topic]
) -> None:
    planned = kafka_topics.plan(stack.kafka, topics)

    assert kafka_topics.apply(stack.kafka, topics) == planned

    assert {(it.topic, it.kind) for it in planned} == {
        (it.name, TopicStepKind.CREATE_TOPIC) for it in topics
    }
    for topic in topics:
        found = admin.list_topics(topic.name, timeout=SECONDS).topics[topic.name]
        assert len(found.partitions) == 3
        assert config(admin, topic.name).items() >= topic.config.items()
    assert kafka_topics.apply(stack.kafka, topics) == []


def test_other_partitions_are_reported_and_nothing_is_created_beside_them(
    stack: RunningStack, admin: AdminClient, topics: list[Topic]
) -> None:
    """A missing topic would get a number that its neighbours don't have, for good."""
    there, missing = topics
    admin.create_topics([NewTopic(there.name, 2, 1)])[there.name].result(SECONDS)
    until(lambda: there.name in admin.list_topics(timeout=SECONDS).topics, of="the topic")

    with pytest.raises(OperationFailed, match=f"partitions: 2, wanted: 3, of {there.name}"):
        kafka_topics.apply(stack.kafka, topics)

    assert missing.name not in admin.list_topics(timeout=SECONDS).topics
    assert config(admin, there.name)["message.timestamp.type"] == "CreateTime"


def test_what_deletes_records_is_left_and_the_rest_is_done(
    stack: RunningStack, admin: AdminClient, topics: list[Topic]
) -> None:
    commands = topics[0]
    kafka_topics.apply(stack.kafka, topics)
    alter(admin, commands.name, "retention.ms", "-1")
    alter(admin, commands.name, "compression.type", "producer")

    done = kafka_topics.apply(stack.kafka, topics)

    assert {it.setting: it.automatic for it in done} == {
        "retention.ms": False,
        "compression.type": True,
    }
    left = config(admin, commands.name)
    assert (left["retention.ms"], left["compression.type"]) == ("-1", "uncompressed")


def test_more_replicas_than_brokers_are_refused_before_anything_is_created(
    stack: RunningStack, admin: AdminClient, topics: list[Topic]
) -> None:
    with pytest.raises(OperationFailed, match="3 replicas need as many brokers; Kafka has 1"):
        kafka_topics.apply(stack.kafka, topics, replicas=3)

    assert not {it.name for it in topics} & admin.list_topics(timeout=SECONDS).topics.keys()


def test_a_stacks_topics_are_what_the_contract_wants(stack: RunningStack) -> None:
    assert "nothing to do" in stack.orders("topics", "plan").stdout
    assert json.loads(stack.orders("topics", "apply", "--json").stdout) == []


def test_a_changed_retention_is_shown_and_repaired(stack: RunningStack, admin: AdminClient) -> None:
    alter(admin, DELIVERIES.name, "retention.ms", "3600000")

    planned = json.loads(stack.orders("topics", "plan", "--json").stdout)
    done = json.loads(stack.orders("topics", "apply", "--json").stdout)

    wanted = DELIVERIES.config["retention.ms"]
    assert planned == done
    assert planned == [
        {
            "kind": "alterConfig",
            "topic": DELIVERIES.name,
            "setting": "retention.ms",
            "found": "3600000",
            "wanted": wanted,
        }
    ]
    assert config(admin, DELIVERIES.name)["retention.ms"] == wanted
    assert "nothing to do" in stack.orders("topics", "apply").stdout


def test_another_number_of_partitions_is_one_sentence_and_exit_code_1(stack: RunningStack) -> None:
    for command in ("plan", "apply"):
        refused = stack.orders("topics", command, "--partitions", "24", check=False)

        assert refused.returncode == 1
        assert refused.stderr.count("pass --partitions 12") == 1
        assert all(it.name in refused.stderr for it in TOPICS)
    assert "Nothing was changed." in refused.stderr
