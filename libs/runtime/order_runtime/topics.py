"""What a service relies on of a topic, looked up at the broker when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource

from order_contracts.topics import Topic

TIMEOUT: Final = 30.0  # seconds


class AssumptionBroken(Exception):
    """A topic is missing or is set otherwise than the contract says."""


@dataclass(frozen=True, slots=True)
class Described:
    """A topic as the broker has it; a topic that was deleted and made again has another id."""

    id: str
    partitions: int


def described(kafka: str, topic: Topic) -> Described:
    """
    Return what the broker says of *topic*.

    Raises AssumptionBroken where its timestamps are not LogAppendTime, which decides what is
    applied when and keeps records from being deleted unread; KafkaException where it isn't there.
    """
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    futures = admin.describe_topics(TopicCollection([topic.name]), request_timeout=TIMEOUT)
    found = futures[topic.name].result()
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic.name)
    config = admin.describe_configs([resource], request_timeout=TIMEOUT)[resource].result()
    stamps = config["message.timestamp.type"].value
    if stamps != topic.config["message.timestamp.type"]:
        raise AssumptionBroken(f"{topic.name}: message.timestamp.type must be LogAppendTime")
    return Described(str(found.topic_id), len(found.partitions))
