"""Whether consumer groups are stopped, and have read everything that their topics hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from confluent_kafka import ConsumerGroupState
from confluent_kafka.admin import AdminClient

from order_contracts.topics import TOPICS
from order_operations.connections.kafka_client import SILENCE_SECONDS
from order_operations.consumers.progress import GROUPS, topic_lags
from order_operations.problems import OperationFailed
from order_runtime.kafka.address import KafkaAddress

_NO_MEMBERS: Final = {ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD}


def require_no_members(client: AdminClient, groups: Iterable[str]) -> None:
    """Raise OperationFailed where one of *groups* has members, and KafkaException."""
    for group in sorted(groups):
        found = client.describe_consumer_groups([group], request_timeout=SILENCE_SECONDS)[group]
        if found.result(SILENCE_SECONDS).state not in _NO_MEMBERS:
            raise OperationFailed(
                f"The group {group} has members: stop all its workers first; the session of a"
                " killed one takes 10 s to end. Nothing was set."
            )


def require_all_read(kafka: KafkaAddress, client: AdminClient, topics: Collection[str]) -> None:
    """
    Raise OperationFailed where a group that reads one of *topics* has members, or a lag on it.

    Raises KafkaException where Kafka doesn't answer. Publishers aren't seen: whoever asks has
    stopped them.
    """
    readers = {it.name: it.readers & GROUPS for it in TOPICS if it.name in topics}
    read = {name: groups for name, groups in readers.items() if groups}
    require_no_members(client, {group for groups in read.values() for group in groups})
    lags = topic_lags(kafka, read)
    if not lags.keys() >= read.keys():
        raise OperationFailed(f"Kafka at {kafka} doesn't tell how far the groups are.")
    for topic, groups in read.items():
        for group in sorted(groups):
            if left := lags[topic].lag[group]:
                raise OperationFailed(
                    f"The group {group} has yet to read {left} records of {topic}: with more"
                    " partitions they would no longer be in order with what follows. Start its"
                    " workers until `orders lag` shows none. Nothing was changed."
                )
