"""The rights on Kafka of each workload, from who writes and who reads each topic."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from order_contracts.topics import (
    ACTIONS,
    ARTICLES,
    COMMANDS,
    CONTACTS,
    ENRICHER,
    EVENTS,
    HANDLED,
    PUBLIC,
    STORES,
    TOPICS,
    TRIGGER,
    WRITER,
    Topic,
)
from order_operations.access_rights import GROUP, TOPIC, KafkaRight
from order_operations.dead_letter_view import DEAD_LETTER_TOPICS
from order_operations.kafka_client import CLIENT_ID

# READ and WRITE imply DESCRIBE, ALTER_CONFIGS implies DESCRIBE_CONFIGS; an idempotent producer
# needs no right on the cluster (Kafka 3.0 and later).
READ: Final = "READ"
WRITE: Final = "WRITE"
CREATE: Final = "CREATE"
DESCRIBE: Final = "DESCRIBE"
DESCRIBE_CONFIGS: Final = "DESCRIBE_CONFIGS"
ALTER_CONFIGS: Final = "ALTER_CONFIGS"

CONSUMERS: Final = (WRITER, ENRICHER, TRIGGER)
REFERENCE: Final = (CONTACTS, ARTICLES, STORES)
REPLAYED: Final = (COMMANDS, EVENTS, ACTIONS)  # where dead letters came from

Rights = frozenset[KafkaRight]


def gateway(service: str) -> Rights:
    return _on_topics(WRITE, (it for it in TOPICS if service in it.writers))


def consumer(service: str) -> Rights:
    """Return the rights of a service that reads topics: it compares their settings as well."""
    reads = [it for it in TOPICS if service in it.readers]
    writes = [it for it in TOPICS if service in it.writers]
    return (
        _on_topics(READ, reads)
        | _on_topics(WRITE, writes)
        | _on_topics(DESCRIBE_CONFIGS, [*reads, *writes])
        | _on_groups(READ, service)
    )


def enricher() -> Rights:
    """Return the enricher's, which waits for what the order-writer has yet to handle."""
    return consumer(ENRICHER) | _on_groups(DESCRIBE, WRITER)


def order_publisher() -> Rights:
    public = {it for it in TOPICS if PUBLIC in it.writers}
    return _on_topics(WRITE, public - set(REFERENCE))


def reference_publisher() -> Rights:
    """Return those to load reference data, and to see that the enricher has read it."""
    return _on_topics(WRITE, REFERENCE) | _on_groups(DESCRIBE, ENRICHER)


def event_reader() -> Rights:
    return _on_topics(READ, (it for it in TOPICS if PUBLIC in it.readers))


def own_groups(principal: str) -> KafkaRight:
    """Return the right on the groups of a principal outside: those named after it, and a dot."""
    return KafkaRight(GROUP, f"{principal.removeprefix('User:')}.", READ, prefixed=True)


def operator() -> Rights:
    """
    Return those of the `orders` command, but for the migrator's.

    Dead letters are read, sent again and marked; an erasure publishes a contact's tombstone. The
    offsets of groups are set, which takes the right to read their topics; all topics are described.
    """
    read_by_groups = [it for it in TOPICS if it.readers & set(CONSUMERS)]
    letters = [it for it in TOPICS if it.name in DEAD_LETTER_TOPICS]
    reads = {*read_by_groups, *letters, HANDLED}
    writes = {*REPLAYED, HANDLED, CONTACTS}
    return (
        _on_topics(READ, reads)
        | _on_topics(WRITE, writes)
        | _on_topics(DESCRIBE, set(TOPICS) - reads - writes)
        | _on_groups(READ, *CONSUMERS)
        | _on_groups(DESCRIBE, CLIENT_ID)
    )


def migrator() -> Rights:
    return frozenset().union(*(_on_topics(it, TOPICS) for it in (CREATE, DESCRIBE, ALTER_CONFIGS)))


def _on_topics(operation: str, topics: Iterable[Topic]) -> Rights:
    return frozenset(KafkaRight(TOPIC, it.name, operation) for it in topics)


def _on_groups(operation: str, *groups: str) -> Rights:
    return frozenset(KafkaRight(GROUP, it, operation) for it in groups)
