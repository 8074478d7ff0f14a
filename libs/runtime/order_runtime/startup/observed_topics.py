"""Topics by what Kafka answers about them."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka.admin import TopicDescription

from order_runtime.startup.requirements import ObservedTopic


def observed_topic(
    description: TopicDescription, config: Mapping[str, str] | None
) -> ObservedTopic:
    """Return a topic by what Kafka answered about it and about its settings."""
    replicas = [len(partition.replicas) for partition in description.partitions]
    return ObservedTopic(str(description.topic_id), len(replicas), min(replicas, default=0), config)
