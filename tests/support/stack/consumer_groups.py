"""Consumer groups by the admin API: members, assignments, rebalances, offsets and lag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from order_contracts.topics import Topic
from order_operations.connections.kafka_client import admin_client
from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from support.stack.running_stack import RunningStack
from support.stack.wait import until


def members(stack: RunningStack, group: str) -> dict[str, int]:
    """Return the number of partitions of each member; empty unless the group is stable."""
    admin = _admin(
        stack
    )  # referenced until the result is here: a collected client never returns it
    found = admin.describe_consumer_groups([group])[group].result(30)
    if found.state.name != "STABLE":
        return {}
    return {it.member_id: len(it.assignment.topic_partitions) for it in found.members}


def all_have_partitions(stack: RunningStack, group: str, count: int) -> bool:
    """Return whether the group has *count* members, and each has partitions."""
    having = members(stack, group).values()
    return len(having) == count and all(having)


def rebalance_count(stack: RunningStack, group: str) -> int:
    """Return the number of a group's rebalances, from the brokers' logs."""
    logs = (stack.command.home / stack.name / "logs").glob("broker*.log")
    return sum(_rebalances_logged(log, group) for log in logs)


def _rebalances_logged(log: Path, group: str) -> int:
    said = f"Preparing to rebalance group {group} "
    return log.read_text(errors="replace").count(said)


def end_offsets(stack: RunningStack, topic: str) -> dict[int, int]:
    """Return the end offset of each partition."""
    admin = _admin(stack)
    latest = admin.list_topics(topic, timeout=30).topics[topic].partitions
    asked = {TopicPartition(topic, at): OffsetSpec.latest() for at in latest}
    answers = admin.list_offsets(asked)
    return {place.partition: answer.result(30).offset for place, answer in answers.items()}


def delete_records_before(stack: RunningStack, topic: str, until: Mapping[int, int]) -> None:
    """Delete the records of each partition below an offset, as retention would."""
    asked = [TopicPartition(topic, at, offset) for at, offset in until.items()]
    admin = _admin(stack)
    for done in admin.delete_records(asked).values():
        done.result(30)


def set_offsets(stack: RunningStack, group: str, topic: str, offsets: Mapping[int, int]) -> None:
    """Set a group's offsets; raises KafkaException while it has members."""
    asked = [TopicPartition(topic, at, offset) for at, offset in offsets.items()]
    wish = ConsumerGroupTopicPartitions(group, asked)
    admin = _admin(stack)
    admin.alter_consumer_group_offsets([wish])[group].result(30)


def reset_to_beginning(stack: RunningStack, reads: Iterable[tuple[str, str]]) -> None:
    """Reset each (group, topic) to offset 0, once the group has no members."""
    for group, topic in reads:
        until(lambda group=group: group_is_empty(stack, group), seconds=60, of=group)  # type: ignore[misc]
        set_offsets(stack, group, topic, dict.fromkeys(end_offsets(stack, topic), 0))


def group_is_empty(stack: RunningStack, group: str) -> bool:
    admin = _admin(stack)  # referenced until the result is here, as above
    found = admin.describe_consumer_groups([group])[group].result(30)
    return bool(found.state.name == "EMPTY")


def recreate_topic(stack: RunningStack, topic: Topic) -> None:
    """Delete a topic with its records, and create it again."""
    admin = _admin(stack)
    admin.delete_topics([topic.name])[topic.name].result(30)
    until(lambda: topic.name not in admin.list_topics(timeout=30).topics, of="the topic is gone")
    new = NewTopic(topic.name, topic.partitions, -1, config=dict(topic.config))
    admin.create_topics([new])[topic.name].result(30)
    until(lambda: _has_leaders(admin, topic), of="a leader for each partition")


def _has_leaders(admin: AdminClient, topic: Topic) -> bool:
    partitions = admin.list_topics(topic.name, timeout=30).topics[topic.name].partitions.values()
    return len(partitions) == topic.partitions and all(it.leader >= 0 for it in partitions)


def _admin(stack: RunningStack) -> AdminClient:
    return admin_client(stack.kafka)


def lag(kafka: KafkaAddress, group: str, topic: str) -> int:
    """Return the group's lag on *topic*."""
    consumer = Consumer({**librdkafka_config(kafka), "group.id": group})
    try:
        ends = _ends(consumer, topic)
        committed = _committed(consumer, topic, ends)
        return sum(end - committed[at] for at, end in ends.items())
    finally:
        consumer.close()


def committed_offset(kafka: KafkaAddress, group: str, topic: str, partition: int) -> int:
    """Return the group's offset of one partition; 0 where it has none."""
    consumer = Consumer({**librdkafka_config(kafka), "group.id": group})
    try:
        return _committed(consumer, topic, [partition])[partition]
    finally:
        consumer.close()


def _committed(consumer: Consumer, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    asked = [TopicPartition(topic, at) for at in partitions]
    return {it.partition: max(it.offset, 0) for it in consumer.committed(asked, timeout=10)}


def _ends(consumer: Consumer, topic: str) -> dict[int, int]:
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    return {
        at: consumer.get_watermark_offsets(TopicPartition(topic, at), timeout=10)[1]
        for at in partitions
    }
