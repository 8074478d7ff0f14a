"""Questions to a Kafka broker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

PATIENCE = 2.0  # seconds

Place = tuple[str, int]  # topic and partition
Offsets = dict[Place, int]


def admin(bootstrap: str) -> AdminClient:
    """Return a silent client: a broker that isn't up is expected here, and told in a sentence."""
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})


def cluster_id(bootstrap: str, seconds: float = PATIENCE) -> str | None:
    """Return the id of the Kafka cluster that answers there, or None."""
    try:
        return str(admin(bootstrap).list_topics(timeout=seconds).cluster_id)
    except KafkaException:
        return None


def counts_itself(address: str) -> bool:
    """Tell whether the broker at that address answers, and is in service in its own eyes."""
    try:
        members = admin(address).list_topics(timeout=PATIENCE).brokers.values()
    except KafkaException:
        return False
    return address in {f"{it.host}:{it.port}" for it in members}


@dataclass(frozen=True, slots=True)
class Depth:
    """How many records a topic holds, and how many of them each group has not read yet."""

    records: int
    behind: Mapping[str, int]


def depths(bootstrap: str, readers: Mapping[str, Iterable[str]]) -> dict[str, Depth]:
    """Look at topics, given by name with the groups that read them; {} while Kafka is away."""
    client = admin(bootstrap)
    try:
        known = client.list_topics(timeout=PATIENCE).topics
        positions = [
            TopicPartition(topic, it) for topic in readers for it in known[topic].partitions
        ]
        ends = _offsets(client, positions, OffsetSpec.latest())
        starts = _offsets(client, positions, OffsetSpec.earliest())
        groups = {group for groups in readers.values() for group in groups}
        read = {group: committed(client, group, ends) for group in groups}
    except (KafkaException, KeyError, TimeoutError):
        return {}
    return {
        topic: Depth(
            records=sum(ends[it] - starts[it] for it in ends if it[0] == topic),
            behind={group: _behind(topic, starts, ends, read[group]) for group in groups},
        )
        for topic, groups in readers.items()
    }


def ends_of(bootstrap: str, topic: str) -> Offsets:
    """Return where each partition of a topic ends now."""
    client = admin(bootstrap)
    partitions = client.list_topics(topic, timeout=PATIENCE).topics[topic].partitions
    return _offsets(client, [TopicPartition(topic, it) for it in partitions], OffsetSpec.latest())


def _behind(topic: str, starts: Offsets, ends: Offsets, read: Offsets) -> int:
    """Never less than none, although the group is asked later than the ends were."""
    return sum(
        max(0, end - max(read.get(it, 0), starts[it])) for it, end in ends.items() if it[0] == topic
    )


def _offsets(client: AdminClient, positions: Sequence[TopicPartition], spec: OffsetSpec) -> Offsets:
    asked = client.list_offsets(dict.fromkeys(positions, spec), request_timeout=PATIENCE)
    return {
        (it.topic, it.partition): future.result(PATIENCE).offset for it, future in asked.items()
    }


def committed(client: AdminClient, group: str, positions: Iterable[Place]) -> Offsets:
    """Return the next offset each place is read at; raises KafkaException or TimeoutError."""
    asked = [TopicPartition(topic, partition) for topic, partition in positions]
    request = [ConsumerGroupTopicPartitions(group, asked)]
    answer = client.list_consumer_group_offsets(request)[group].result(PATIENCE)
    return {(it.topic, it.partition): it.offset for it in answer.topic_partitions}
