"""What somebody with a login to Kafka tries on its topics and groups, and what was allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
)

from order_contracts.topics import TOPICS

SECONDS = 15.0
NAMES = [it.name for it in TOPICS]
REFUSALS = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}


def refused(attempt: Callable[[], object]) -> bool:
    """Return whether Kafka refuses for want of a right; that it can't be done isn't that."""
    try:
        attempt()
    except KafkaException as error:
        return error.args[0].code() in REFUSALS
    return False


def allowed(answers: dict[Any, Any]) -> set[Any]:
    return {it for it, answer in answers.items() if not refused(lambda a=answer: a.result(SECONDS))}  # type: ignore[misc]


def written(config: dict[str, Any]) -> set[str]:
    """Return the topics to which something could be published."""
    producer, done = Producer(config | {"log_level": 0}), set[str]()
    errors = set[int]()

    def deliver(error: KafkaError | None, message: Any) -> None:
        if error is None:
            done.add(message.topic())
        else:
            errors.add(error.code())

    for name in NAMES:
        producer.produce(name, b"{}", b"adversary", on_delivery=deliver)
    assert producer.flush(SECONDS) == 0
    assert errors <= REFUSALS
    return done


def read(config: dict[str, Any]) -> set[str]:
    """Return the topics that could be read, of those that could be seen; as no group's member."""
    own = {"group.id": "adversary", "enable.partition.eof": True, "log_level": 0}
    consumer = Consumer(config | own | {"enable.auto.commit": False})
    known = {it for it in consumer.list_topics(timeout=SECONDS).topics if it in NAMES}
    consumer.assign([TopicPartition(it, 0, 0) for it in known])
    done, denied = set[str](), set[str]()
    try:
        while done | denied != known:
            message = consumer.poll(SECONDS)
            assert message is not None, known - done - denied
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                done.add(message.topic())
            elif error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                denied.add(message.topic())
    finally:
        consumer.close()
    return done


def commits(admin: AdminClient, group: str, topic: str) -> bool:
    """Return whether somebody may set a group's offsets; of one that has members nobody can."""
    offsets = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 0)])
    [answer] = admin.alter_consumer_group_offsets([offsets]).values()
    try:
        errors = [it.error for it in answer.result(SECONDS).topic_partitions]
    except KafkaException as error:
        errors = [error.args[0]]
    codes = {it.code() for it in errors if it is not None}
    assert codes <= REFUSALS | {KafkaError.UNKNOWN_MEMBER_ID}, codes
    return not codes & REFUSALS


def seen(admin: AdminClient) -> set[str]:
    answers = admin.describe_configs(
        [ConfigResource(ConfigResource.Type.TOPIC, it) for it in NAMES]
    )
    return {it.name for it in allowed(answers)}


def altered(admin: AdminClient) -> set[str]:
    entry = ConfigEntry("segment.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    resources = [
        ConfigResource(ConfigResource.Type.TOPIC, it, incremental_configs=[entry]) for it in NAMES
    ]
    answers = admin.incremental_alter_configs(resources, validate_only=True)
    return {it.name for it in allowed(answers)}


def created(admin: AdminClient) -> set[str]:
    """Return what could be created, if it weren't there; another topic can't."""
    answers = admin.create_topics([NewTopic(it, 1, 1) for it in (*NAMES, "another")])
    return allowed(answers)


def deleted(admin: AdminClient) -> set[str]:
    return allowed(admin.delete_topics(NAMES))


def emptied(admin: AdminClient) -> set[str]:
    """Return the topics whose records could be deleted."""
    answers = admin.delete_records([TopicPartition(it, 0, 0) for it in NAMES])
    return {it.topic for it in allowed(answers)}
