"""The topics of a stack, created on the Kafka cluster that is its own."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import KafkaException
from confluent_kafka.admin import ClusterMetadata, NewTopic

from order_contracts.topics import Topic
from order_operations.kafka_client import admin_client, unavailable
from order_runtime.kafka.address import KafkaAddress
from order_stack.cluster.kafka_probe import cluster_id
from order_stack.cluster.topology import in_sync, replicas
from order_stack.problems import StackProblem

TOPIC_SECONDS = 30.0


def verify(kafka: KafkaAddress, expected: str) -> None:
    """Raise StackProblem where the brokers that answer don't have the cluster id *expected*."""
    found = cluster_id(kafka, TOPIC_SECONDS)
    if found != expected:
        raise StackProblem(
            f"At {kafka} answers another Kafka cluster ({found}) than this stack's; "
            "nothing was written. Stop that one, or start this stack again."
        )


def check_reachable(kafka: KafkaAddress) -> None:
    if cluster_id(kafka, TOPIC_SECONDS / 3) is None:
        raise StackProblem(f"{unavailable(kafka)} Check --kafka and ORDERMILL_KAFKA_….")


def create_topics(kafka: KafkaAddress, topics: Iterable[Topic]) -> None:
    """Create missing topics; raises StackProblem for one with another number of partitions."""
    client = admin_client(kafka)
    try:
        seen: ClusterMetadata = client.list_topics(timeout=TOPIC_SECONDS)
        existing = seen.topics
        missing = [_new(it, len(seen.brokers)) for it in topics if it.name not in existing]
        created = client.create_topics(missing, operation_timeout=TOPIC_SECONDS) if missing else {}
        for future in created.values():
            future.result(TOPIC_SECONDS)
    except (KafkaException, TimeoutError) as error:
        raise StackProblem(f"The topics can't be created at {kafka}: {error}.") from error
    for topic in topics:
        if topic.name in existing and len(existing[topic.name].partitions) != topic.partitions:
            raise StackProblem(
                f"Topic {topic.name} at {kafka} has {len(existing[topic.name].partitions)} "
                f"partitions and must have {topic.partitions}; use another cluster, because "
                "adding partitions breaks the order of a key."
            )


def _new(topic: Topic, brokers: int) -> NewTopic:
    return NewTopic(
        topic.name,
        num_partitions=topic.partitions,
        replication_factor=replicas(brokers),
        config={**topic.config, "min.insync.replicas": str(in_sync(brokers))},
    )
