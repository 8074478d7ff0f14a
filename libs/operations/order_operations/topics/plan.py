"""The steps from the topics that a Kafka cluster has to those that the contract wants. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from order_contracts.topics import Topic
from order_runtime.startup.requirements import ObservedTopic, OtherSetting, other_settings

MAX_REPLICAS: Final = 3  # of each partition, where there are so many brokers
PARTITIONS: Final = "partitions"
REPLICAS: Final = "replicas"


class TopicStepKind(StrEnum):
    """What a step does; the last four are left to a person."""

    CREATE_TOPIC = "createTopic"
    ALTER_CONFIG = "alterConfig"
    ADD_PARTITIONS = "addPartitions"
    OTHER_PARTITIONS = "otherPartitions"
    COMPACTED_PARTITIONS = "compactedPartitions"
    FEWER_REPLICAS = "fewerReplicas"
    DELETES_RECORDS = "deletesRecords"


LEFT_TO_A_PERSON: Final = MappingProxyType(
    {
        TopicStepKind.OTHER_PARTITIONS: (
            "None can be removed, and partitions that are added break the order of records with"
            " equal keys. If all topics have {found}, pass --partitions {found}, and set"
            " ORDERMILL_PARTITIONS of the consumers; otherwise, if the topic is empty, delete it"
            " and apply again. --add-partitions adds some: docs/runbooks/loss.md says when."
        ),
        TopicStepKind.COMPACTED_PARTITIONS: (
            "What a compacted topic has would stay in its former partition beside newer records of"
            " its key: delete the topic, apply again, and have all of it published again."
        ),
        TopicStepKind.FEWER_REPLICAS: (
            "`kafka-reassign-partitions.sh` adds some; if {found} are enough, pass"
            " --replicas {found}."
        ),
        TopicStepKind.DELETES_RECORDS: (
            "Setting it deletes records: once nobody needs them, set it with `kafka-configs.sh`."
        ),
    }
)
"""Why such a step isn't done, and what to do."""


@dataclass(frozen=True, slots=True)
class TopicStep:
    """A setting of a topic that isn't what it is to be."""

    kind: TopicStepKind
    topic: str
    setting: str
    """`partitions`, `replicas`, or a name from the topic's configuration."""
    found: str | None
    """None where there is no such topic."""
    wanted: str

    @property
    def automatic(self) -> bool:
        return self.kind not in LEFT_TO_A_PERSON


def default_replicas(brokers: int) -> int:
    return min(brokers, MAX_REPLICAS)


def min_in_sync(replicas: int) -> int:
    """
    Return how many replicas must have a record before it is acknowledged.

    One fewer than there are: what was acknowledged outlives any one broker, and writes go on
    without it.
    """
    return max(1, replicas - 1)


def topic_steps(
    topic: Topic, replicas: int, found: ObservedTopic | None, *, add_partitions: bool = False
) -> Iterator[TopicStep]:
    """
    Yield the steps of one topic, which is to have at least so many *replicas*.

    *found* must have its settings; it is None where there is no such topic. With *add_partitions*
    it gets those that it lacks. `min.insync.replicas` is given to a topic that is created, and is
    its owner's from then on.
    """
    if found is None:
        for setting, wanted in _settings(topic, replicas).items():
            yield TopicStep(TopicStepKind.CREATE_TOPIC, topic.name, setting, None, wanted)
        return
    if found.partitions != topic.partitions:
        numbers = str(found.partitions), str(topic.partitions)
        kind = _partitions_step(topic, found, add_partitions=add_partitions)
        yield TopicStep(kind, topic.name, PARTITIONS, *numbers)
    if found.replicas < replicas:
        numbers = str(found.replicas), str(replicas)
        yield TopicStep(TopicStepKind.FEWER_REPLICAS, topic.name, REPLICAS, *numbers)
    for it in other_settings(topic, found.config or {}):
        kind = TopicStepKind.ALTER_CONFIG
        if _deletes_records(it):
            kind = TopicStepKind.DELETES_RECORDS
        yield TopicStep(kind, topic.name, it.name, it.found, it.needed)


def _partitions_step(topic: Topic, found: ObservedTopic, *, add_partitions: bool) -> TopicStepKind:
    if not add_partitions or found.partitions > topic.partitions:
        return TopicStepKind.OTHER_PARTITIONS
    if topic.retention_ms is None:
        return TopicStepKind.COMPACTED_PARTITIONS
    return TopicStepKind.ADD_PARTITIONS


def reasons(steps: Iterable[TopicStep]) -> Iterator[str]:
    """Yield what a person has to do of *steps*: a line for all topics where it is the same."""
    topics = defaultdict[TopicStep, list[str]](list)
    for step in steps:
        if not step.automatic:
            topics[replace(step, topic="")].append(step.topic)
    for step, names in topics.items():
        why = LEFT_TO_A_PERSON[step.kind].format(found=step.found)
        yield f"{step.setting}: {step.found}, wanted: {step.wanted}, of {', '.join(names)}. {why}"


def _settings(topic: Topic, replicas: int) -> Mapping[str, str]:
    return {
        PARTITIONS: str(topic.partitions),
        REPLICAS: str(replicas),
        **topic.config,
        "min.insync.replicas": str(min_in_sync(replicas)),
    }


def _deletes_records(setting: OtherSetting) -> bool:
    begins_to_delete = setting.needed == "delete" and "delete" not in setting.found
    return setting.kept_too_long or (setting.name == "cleanup.policy" and begins_to_delete)
