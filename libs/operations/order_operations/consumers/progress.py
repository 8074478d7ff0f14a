"""How far consumer groups are: offsets, lag, and the wait until a group has read everything."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from order_contracts.topics import ENRICHER, TOPICS, TRIGGER, WRITER
from order_operations.connections.kafka_client import Offsets, admin_client
from order_operations.problems import OperationFailed
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.offsets import committed_offsets

GROUPS: Final = frozenset({WRITER, ENRICHER, TRIGGER})
REQUEST_SECONDS: Final = 2.0
POLL_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class TopicLag:
    """The records that a topic holds, and by consumer group how many it has not committed yet."""

    records: int
    lag: Mapping[str, int]


def topic_lags(kafka: KafkaAddress, readers: Mapping[str, Iterable[str]]) -> dict[str, TopicLag]:
    """Return the lag of topics, given by name with their groups; {} while Kafka doesn't answer."""
    client = admin_client(kafka)
    try:
        known = client.list_topics(timeout=REQUEST_SECONDS).topics
        partitions = [
            TopicPartition(it, number) for it in readers for number in known[it].partitions
        ]
        ends = partition_offsets(client, partitions, OffsetSpec.latest())
        starts = partition_offsets(client, partitions, OffsetSpec.earliest())
        groups = {group for groups in readers.values() for group in groups}
        committed = {it: committed_offsets(kafka, it, ends, REQUEST_SECONDS) for it in groups}
    except (KafkaException, KeyError, TimeoutError):
        return {}
    return {
        topic: TopicLag(
            records=sum(ends[it] - starts[it] for it in ends if it[0] == topic),
            lag={group: _lag(topic, starts, ends, committed[group]) for group in groups},
        )
        for topic, groups in readers.items()
    }


def group_lags(kafka: KafkaAddress) -> dict[str, int] | None:
    """Return by consumer group how many records it has not committed; None without an answer."""
    lags = topic_lags(kafka, {it.name: it.readers & GROUPS for it in TOPICS if it.readers & GROUPS})
    found = {group: sum(it.lag.get(group, 0) for it in lags.values()) for group in sorted(GROUPS)}
    return found if lags else None


def end_offsets(kafka: KafkaAddress, topic: str) -> Offsets:
    """
    Return the offset of the next record of each partition.

    Raises KafkaException or TimeoutError where Kafka doesn't answer.
    """
    client = admin_client(kafka)
    known = client.list_topics(topic, timeout=REQUEST_SECONDS).topics
    partitions = [TopicPartition(topic, number) for number in known[topic].partitions]
    return partition_offsets(client, partitions, OffsetSpec.latest())


def wait_until_committed(kafka: KafkaAddress, group: str, ends: Offsets, seconds: float) -> None:
    """Return when the group has committed everything up to *ends*; raises OperationFailed."""
    if not ends:
        return
    deadline = time.monotonic() + seconds
    while left := _left(kafka, group, ends):
        if time.monotonic() > deadline:
            raise OperationFailed(
                f"Published, but the {group} has not read {left} of the records after "
                f"{seconds:.0f} s; see whether it runs, and what its log says."
            )
        time.sleep(POLL_SECONDS)


def _left(kafka: KafkaAddress, group: str, ends: Offsets) -> int:
    """Return how many records the group has not committed; all of them while Kafka is away."""
    try:
        committed = committed_offsets(kafka, group, ends, REQUEST_SECONDS)
    except KafkaException:
        committed = {}
    return sum(max(0, end - committed.get(it, 0)) for it, end in ends.items())


def _lag(topic: str, starts: Offsets, ends: Offsets, committed: Offsets) -> int:
    """Return the lag; never below 0, although the commits are read later than the ends."""
    return sum(
        max(0, end - max(committed.get(it, 0), starts[it]))
        for it, end in ends.items()
        if it[0] == topic
    )


def partition_offsets(
    client: AdminClient, partitions: Sequence[TopicPartition], spec: OffsetSpec
) -> Offsets:
    """Return an offset of each partition: its first, or the one of the next record."""
    asked = client.list_offsets(dict.fromkeys(partitions, spec), request_timeout=REQUEST_SECONDS)
    return {
        (it.topic, it.partition): future.result(REQUEST_SECONDS).offset
        for it, future in asked.items()
    }
