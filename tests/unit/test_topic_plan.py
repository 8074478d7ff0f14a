"""The steps from the topics that are there to those of the contract, and what is left undone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from confluent_kafka import KafkaError

from order_contracts.topics import COMMANDS, CONTACTS, ENRICHED, TOPICS, Topic
from order_operations.topics.kafka_topics import refusal
from order_operations.topics.plan import (
    TopicStep,
    TopicStepKind,
    default_replicas,
    min_in_sync,
    reasons,
    topic_steps,
)
from order_runtime.startup.requirements import ObservedTopic, topic_risks, topic_violations

SAFE = {"min.insync.replicas": "2"}
GOOD = ObservedTopic("id", COMMANDS.partitions, 3, {**COMMANDS.config, **SAFE})
FORTY_DAYS = str(40 * 24 * 60 * 60 * 1000)


def steps(
    found: ObservedTopic | None, topic: Topic = COMMANDS, replicas: int = 3
) -> list[TopicStep]:
    return list(topic_steps(topic, replicas, found))


def set_to(topic: Topic, **config: str) -> ObservedTopic:
    named = {name.replace("_", "."): value for name, value in config.items()}
    return replace(GOOD, config={**topic.config, **SAFE, **named})


def test_what_is_acknowledged_outlives_a_broker_and_writes_go_on_without_it() -> None:
    replicas = {brokers: default_replicas(brokers) for brokers in (1, 3, 5)}
    assert replicas == {1: 1, 3: 3, 5: 3}
    assert {it: min_in_sync(it) for it in (1, 2, 3)} == {1: 1, 2: 1, 3: 2}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda it: it.name)
def test_nothing_is_to_be_done_where_all_is_as_the_contract_says(topic: Topic) -> None:
    assert steps(set_to(topic), topic) == []


@pytest.mark.parametrize("topic", TOPICS, ids=lambda it: it.name)
def test_a_service_is_satisfied_with_a_topic_that_is_created(topic: Topic) -> None:
    created = steps(None, topic)
    settings = {it.setting: it.wanted for it in created}
    partitions, replicas = int(settings.pop("partitions")), int(settings.pop("replicas"))

    assert {(it.kind, it.found) for it in created} == {(TopicStepKind.CREATE_TOPIC, None)}
    made = ObservedTopic("id", partitions, replicas, settings)
    assert not [*topic_violations(topic, made), *topic_risks(topic, made)]


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        ("message.timestamp.type", "CreateTime"),
        ("max.message.bytes", "2000000"),
        ("unclean.leader.election.enable", "true"),
        ("compression.type", "producer"),
        ("retention.ms", "3600000"),
        ("cleanup.policy", "compact,delete"),
    ],
)
def test_a_setting_that_differs_is_altered(setting: str, found: str) -> None:
    wanted = COMMANDS.config[setting]

    assert steps(set_to(COMMANDS, **{setting: found})) == [
        TopicStep(TopicStepKind.ALTER_CONFIG, COMMANDS.name, setting, found, wanted)
    ]


@pytest.mark.parametrize(
    ("topic", "setting", "found"),
    [
        (COMMANDS, "retention.ms", "1209600000"),
        (ENRICHED, "retention.ms", "-1"),
        (CONTACTS, "delete.retention.ms", FORTY_DAYS),
        (CONTACTS, "min.compaction.lag.ms", FORTY_DAYS),
        (COMMANDS, "min.insync.replicas", "1"),
        (COMMANDS, "segment.bytes", "1048576"),
    ],
)
def test_longer_times_and_what_the_contract_does_not_set_stay(
    topic: Topic, setting: str, found: str
) -> None:
    assert steps(set_to(topic, **{setting: found}), topic) == []


@pytest.mark.parametrize(
    ("setting", "found"),
    [("retention.ms", FORTY_DAYS), ("retention.ms", "-1"), ("cleanup.policy", "compact")],
)
def test_what_would_delete_records_is_left_to_a_person(setting: str, found: str) -> None:
    """A service refuses to start with it all the same."""
    observed = set_to(COMMANDS, **{setting: found})

    [step] = steps(observed)

    assert (step.kind, step.automatic) == (TopicStepKind.DELETES_RECORDS, False)
    assert list(topic_violations(COMMANDS, observed))


def test_reference_data_that_is_deleted_by_its_age_is_compacted_instead() -> None:
    [step] = steps(set_to(CONTACTS, cleanup_policy="delete"), CONTACTS)

    assert (step.kind, step.wanted) == (TopicStepKind.ALTER_CONFIG, "compact")


@pytest.mark.parametrize("partitions", [6, 24])
def test_a_number_of_partitions_stays_and_the_reason_is_said_once_for_all(partitions: int) -> None:
    others = replace(GOOD, partitions=partitions)
    found = [step for topic in (COMMANDS, ENRICHED) for step in steps(others, topic)]

    [reason] = reasons(it for it in found if it.setting == "partitions")

    assert {it.kind for it in found if not it.automatic} == {TopicStepKind.OTHER_PARTITIONS}
    assert f"partitions: {partitions}, wanted: 12, of orders.commands, orders.enriched." in reason
    assert "break the order of records with equal keys" in reason
    assert f"pass --partitions {partitions}" in reason


def test_partitions_are_added_where_that_is_asked_for_and_none_is_removed() -> None:
    others = (replace(GOOD, partitions=it) for it in (6, 24))

    found = [next(topic_steps(COMMANDS, 3, it, add_partitions=True)) for it in others]

    assert [it.kind for it in found] == [
        TopicStepKind.ADD_PARTITIONS,
        TopicStepKind.OTHER_PARTITIONS,
    ]
    assert [it.automatic for it in found] == [True, False]


def test_a_compacted_topic_gets_no_partitions() -> None:
    """A record's later ones would be in another partition, where they never compact it away."""
    there = replace(set_to(CONTACTS), partitions=6)

    [step] = topic_steps(CONTACTS, 3, there, add_partitions=True)

    assert (step.kind, step.automatic) == (TopicStepKind.COMPACTED_PARTITIONS, False)
    assert "published again" in next(reasons([step]))


@pytest.mark.parametrize(("there", "missing"), [(1, True), (2, True), (3, False), (5, False)])
def test_replicas_may_be_more_but_not_fewer(there: int, *, missing: bool) -> None:
    found = steps(replace(GOOD, replicas=there))

    assert [it.kind for it in found] == [TopicStepKind.FEWER_REPLICAS] * missing
    assert all("kafka-reassign-partitions.sh" in it for it in reasons(found))


def test_what_is_done_by_itself_needs_no_reason() -> None:
    assert not list(reasons([*steps(None), *steps(set_to(COMMANDS, retention_ms="1"))]))


@pytest.mark.parametrize(
    "code", [KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED]
)
def test_a_right_that_is_missing_is_named_with_the_topic(code: int) -> None:
    sentence = str(refusal(KafkaError(code), "orders.events", "AlterConfigs"))

    assert sentence == "Kafka refuses: it takes the right AlterConfigs on the topic orders.events."


def test_another_refusal_says_what_the_broker_says() -> None:
    error = KafkaError(KafkaError.POLICY_VIOLATION, "no topics on Fridays")

    assert "orders.events: no topics on Fridays" in str(refusal(error, "orders.events", "Create"))
