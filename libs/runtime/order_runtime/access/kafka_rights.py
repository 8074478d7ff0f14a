"""The rights of each service on Kafka, from who writes and who reads each topic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from order_contracts.topics import ENRICHER, GATEWAY, TOPICS, WRITER, Topic
from order_runtime.access.rights import GROUP, TOPIC, KafkaRight

# READ and WRITE imply DESCRIBE, ALTER_CONFIGS implies DESCRIBE_CONFIGS; an idempotent producer
# needs no right on the cluster (Kafka 3.0 and later).
READ: Final = "READ"
WRITE: Final = "WRITE"
DESCRIBE: Final = "DESCRIBE"
DESCRIBE_CONFIGS: Final = "DESCRIBE_CONFIGS"

KafkaRights = frozenset[KafkaRight]


def service_rights(service: str) -> KafkaRights:
    """Return what *service* needs: it writes, reads in its group, and compares topics' settings."""
    reads = [it for it in TOPICS if service in it.readers]
    writes = [it for it in TOPICS if service in it.writers]
    if service == GATEWAY:  # which starts without Kafka, and compares nothing
        return on_topics(WRITE, writes)
    rights = (
        on_topics(READ, reads)
        | on_topics(WRITE, writes)
        | on_topics(DESCRIBE_CONFIGS, [*reads, *writes])
        | on_groups(READ, service)
    )
    if service == ENRICHER:  # which waits for what the order-writer has yet to handle
        rights |= on_groups(DESCRIBE, WRITER)
    return rights


def on_topics(operation: str, topics: Iterable[Topic]) -> KafkaRights:
    return frozenset(KafkaRight(TOPIC, it.name, operation) for it in topics)


def on_groups(operation: str, *groups: str) -> KafkaRights:
    return frozenset(KafkaRight(GROUP, it, operation) for it in groups)
