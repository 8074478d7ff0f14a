"""Partitions that lack a leader or replicas: from what Kafka says of a topic."""

from __future__ import annotations

import pytest
from confluent_kafka.admin import PartitionMetadata, TopicMetadata

from order_runtime.observability.group_lag import lacking


def topic(*partitions: tuple[int, list[int], list[int]]) -> TopicMetadata:
    """Return a topic of partitions, each a leader, replicas, and those in sync."""
    found = TopicMetadata()
    for number, (leader, replicas, in_sync) in enumerate(partitions):
        it = found.partitions[number] = PartitionMetadata()
        it.leader, it.replicas, it.isrs = leader, replicas, in_sync
    return found


@pytest.mark.parametrize(
    ("partition", "lacks"),
    [
        ((1, [1, 2, 3], [3, 1, 2]), 0),
        ((1, [1, 2, 3], [1, 3]), 1),
        ((1, [1], [1]), 0),
        ((-1, [1], [1]), 1),  # its only broker is away, and stays the one that is in sync
    ],
)
def test_a_partition_lacks_replicas_or_a_leader(
    partition: tuple[int, list[int], list[int]], lacks: int
) -> None:
    assert lacking(topic(partition, (1, [1], [1]))) == lacks
