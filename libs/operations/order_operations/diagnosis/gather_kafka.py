"""What Kafka says of itself: its brokers, the topics, how far the groups are."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata

from order_contracts.topics import COMMANDS, DEFAULT_PARTITIONS, TOPICS, topics_with
from order_operations.diagnosis.facts import Access, Backend, Cluster, Lag, Partition
from order_operations.topics import kafka_topics
from order_operations.topics.plan import TopicStep
from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from order_runtime.kafka.refusals import refusal
from order_runtime.observability.group_lag import GroupLag

ACCESS_SECONDS: Final = 3.5


def reach(kafka: KafkaAddress) -> tuple[Backend, Cluster]:
    """Return whether Kafka answers, within ACCESS_SECONDS, and its brokers and partitions."""
    refusals: list[str] = []

    def note(error: KafkaError) -> None:
        if why := refusal(error):
            refusals.append(why)

    client = AdminClient(librdkafka_config(kafka) | {"log_level": 0, "error_cb": note})
    try:
        return Backend(address=kafka.servers), cluster_of(
            client.list_topics(timeout=ACCESS_SECONDS)
        )
    except KafkaException:
        client.poll(0)  # lets it say why
    if refusals:
        return Backend(Access.REFUSES, kafka.servers, refusals[0]), Cluster()
    return Backend(Access.AWAY, kafka.servers), Cluster()


def cluster_of(metadata: ClusterMetadata) -> Cluster:
    """Return the brokers that are alive, and the partitions of our topics."""
    partitions = [
        Partition(
            topic.name,
            number,
            it.leader if it.leader >= 0 else None,
            tuple(it.replicas),
            tuple(it.isrs),
        )
        for topic in TOPICS
        if topic.name in metadata.topics
        for number, it in metadata.topics[topic.name].partitions.items()
    ]
    return Cluster(
        {number: f"{it.host}:{it.port}" for number, it in metadata.brokers.items()}, partitions
    )


def topic_steps(kafka: KafkaAddress, cluster: Cluster) -> Sequence[TopicStep]:
    """
    Return what isn't as the contract says, for as many partitions as `orders.commands` has.

    Raises OperationFailed where Kafka doesn't answer or refuses.
    """
    partitions = sum(it.topic == COMMANDS.name for it in cluster.partitions)
    return kafka_topics.plan(kafka, topics_with(partitions or DEFAULT_PARTITIONS))


def lags(kafka: KafkaAddress, group: str) -> list[Lag]:
    """Return how far a group is behind on each topic; raises KafkaException without an answer."""
    topics = [it.name for it in TOPICS if group in it.readers]
    with closing(GroupLag(kafka, group, topics, lambda _: None)) as measured:
        return [
            Lag(group, topic, it.records, it.seconds) for topic, it in measured.measure().items()
        ]
