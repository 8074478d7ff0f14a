"""
A Kafka cluster's topics made what the contract wants: created where missing, and their settings.

All steps are idempotent: what is interrupted is done by the next apply.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Final, TypeVar

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
)

from order_contracts.topics import Topic
from order_operations.connections.kafka_client import SILENCE_SECONDS, admin_client, unavailable
from order_operations.consumers.drained_groups import require_all_read
from order_operations.problems import OperationFailed
from order_operations.topics.plan import (
    PARTITIONS,
    REPLICAS,
    TopicStep,
    TopicStepKind,
    default_replicas,
    reasons,
    topic_steps,
)
from order_runtime.kafka.address import KafkaAddress
from order_runtime.process.refused_rights import DENIED
from order_runtime.startup.observed_topics import observed_topic
from order_runtime.startup.requirements import ObservedTopic

T = TypeVar("T")

CREATION_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.2
_OTHER_PARTITIONS: Final = {TopicStepKind.OTHER_PARTITIONS, TopicStepKind.COMPACTED_PARTITIONS}
_MORE_PARTITIONS: Final = {TopicStepKind.ADD_PARTITIONS, TopicStepKind.COMPACTED_PARTITIONS}


def plan(
    kafka: KafkaAddress,
    topics: Sequence[Topic],
    replicas: int | None = None,
    *,
    add_partitions: bool = False,
) -> list[TopicStep]:
    """
    Return what isn't as *topics* say; with min(3, brokers) *replicas*, unless given.

    Raises OperationFailed where Kafka doesn't answer, has fewer brokers than *replicas*, or
    doesn't let this client see a topic.
    """
    client = admin_client(kafka)
    with _kafka_errors_as_sentences(kafka):
        copies = _replicas(client, replicas)
        found = _observed(client, [it.name for it in topics])
    return [
        step
        for it in topics
        for step in topic_steps(it, copies, found.get(it.name), add_partitions=add_partitions)
    ]


def apply(
    kafka: KafkaAddress,
    topics: Sequence[Topic],
    replicas: int | None = None,
    *,
    add_partitions: bool = False,
) -> list[TopicStep]:
    """
    Do the automatic steps of `plan`, and return all, once Kafka shows that they are done.

    Raises OperationFailed as `plan` does, and before anything is changed where a topic has
    another number of partitions: a missing one would get a number that can't be changed any more.
    Partitions are added only where every group is stopped and has read all that there is: the next
    record of a key may come to another partition than those before it.
    """
    steps = plan(kafka, topics, replicas, add_partitions=add_partitions)
    if widened := {it.topic for it in steps if it.kind in _MORE_PARTITIONS}:
        with _kafka_errors_as_sentences(kafka):
            require_all_read(kafka, admin_client(kafka), widened)
    if other := [it for it in steps if it.kind in _OTHER_PARTITIONS]:
        raise OperationFailed("\n".join([*reasons(other), "Nothing was changed."]))
    if any(it.automatic for it in steps):
        client = admin_client(kafka)
        with _kafka_errors_as_sentences(kafka):
            _add_partitions(client, _by_topic(steps, TopicStepKind.ADD_PARTITIONS))
            _create(client, _by_topic(steps, TopicStepKind.CREATE_TOPIC))
            _alter(client, _by_topic(steps, TopicStepKind.ALTER_CONFIG))
        _wait_until_done(kafka, topics, replicas)
    return steps


def refusal(error: KafkaError, topic: str, right: str) -> OperationFailed:
    """Return what a broker's *error* means for *topic*, if the request takes that *right*."""
    if error.code() in DENIED:
        return OperationFailed(f"Kafka refuses: it takes the right {right} on the topic {topic}.")
    return OperationFailed(f"Kafka refuses, at the topic {topic}: {error.str()}")


def _replicas(client: AdminClient, wanted: int | None) -> int:
    brokers = len(client.describe_cluster(request_timeout=SILENCE_SECONDS).result().nodes)
    if wanted is not None and wanted > brokers:
        raise OperationFailed(f"{wanted} replicas need as many brokers; Kafka has {brokers}.")
    return wanted or default_replicas(brokers)


def _observed(client: AdminClient, names: Sequence[str]) -> dict[str, ObservedTopic]:
    """Return the topics that exist, with their settings."""
    answers = client.describe_topics(TopicCollection(names), request_timeout=SILENCE_SECONDS)
    asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    configs = client.describe_configs(asked, request_timeout=SILENCE_SECONDS)
    found: dict[str, ObservedTopic] = {}
    for resource, answer in configs.items():
        topic = _answer(answers[resource.name], resource.name, "Describe")
        config = _answer(answer, resource.name, "DescribeConfigs")
        if topic is not None and config is not None:
            settings = {name: entry.value for name, entry in config.items()}
            found[resource.name] = observed_topic(topic, settings)
    return found


def _by_topic(steps: Sequence[TopicStep], kind: TopicStepKind) -> dict[str, dict[str, str]]:
    """Return the wanted settings of each topic that has steps of this kind."""
    wanted: dict[str, dict[str, str]] = {}
    for step in steps:
        if step.kind is kind:
            wanted.setdefault(step.topic, {})[step.setting] = step.wanted
    return wanted


def _create(client: AdminClient, missing: Mapping[str, Mapping[str, str]]) -> None:
    """Create the topics; one that somebody else created meanwhile is looked at afterwards."""
    if not missing:
        return
    new = [_new_topic(name, settings) for name, settings in missing.items()]
    created = client.create_topics(new, operation_timeout=CREATION_SECONDS)
    for name, answer in created.items():
        _answer(answer, name, "Create", KafkaError.TOPIC_ALREADY_EXISTS)


def _new_topic(name: str, settings: Mapping[str, str]) -> NewTopic:
    config = {it: value for it, value in settings.items() if it not in {PARTITIONS, REPLICAS}}
    return NewTopic(
        name,
        num_partitions=int(settings[PARTITIONS]),
        replication_factor=int(settings[REPLICAS]),
        config=config,
    )


def _add_partitions(client: AdminClient, wanted: Mapping[str, Mapping[str, str]]) -> None:
    if not wanted:
        return
    new = [NewPartitions(name, int(settings[PARTITIONS])) for name, settings in wanted.items()]
    added = client.create_partitions(new, operation_timeout=CREATION_SECONDS)
    for name, answer in added.items():
        _answer(answer, name, "Alter")


def _alter(client: AdminClient, changed: Mapping[str, Mapping[str, str]]) -> None:
    if not changed:
        return
    resources = [
        ConfigResource(
            ConfigResource.Type.TOPIC,
            name,
            incremental_configs=[
                ConfigEntry(it, value, incremental_operation=AlterConfigOpType.SET)
                for it, value in settings.items()
            ],
        )
        for name, settings in changed.items()
    ]
    altered = client.incremental_alter_configs(resources, request_timeout=SILENCE_SECONDS)
    for resource, answer in altered.items():
        _answer(answer, resource.name, "AlterConfigs")


def _wait_until_done(kafka: KafkaAddress, topics: Sequence[Topic], replicas: int | None) -> None:
    """Wait until nothing is left to apply: a broker learns a moment later of what was changed."""
    deadline = time.monotonic() + CREATION_SECONDS
    while left := [it for it in plan(kafka, topics, replicas) if it.automatic]:
        if time.monotonic() > deadline:
            raise OperationFailed(
                f"Kafka at {kafka} took the changes, and after {CREATION_SECONDS:.0f} s"
                f" {left[0].setting} of the topic {left[0].topic} isn't {left[0].wanted}."
            )
        time.sleep(POLL_SECONDS)


def _answer(
    answer: Future[T], topic: str, right: str, harmless: int = KafkaError.UNKNOWN_TOPIC_OR_PART
) -> T | None:
    """Return the answer about *topic*, None for the *harmless* error; raises OperationFailed."""
    try:
        return answer.result()
    except KafkaException as error:
        code = error.args[0].code()
        if code == harmless:
            return None
        if code < 0:  # librdkafka's own, such as a timeout: no broker answered
            raise
        raise refusal(error.args[0], topic, right) from error


@contextmanager
def _kafka_errors_as_sentences(kafka: KafkaAddress) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise unavailable(kafka) from error
