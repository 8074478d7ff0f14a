"""The rights on Kafka of whoever is no service: operators, and systems outside."""

from __future__ import annotations

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
)
from order_operations.connections.kafka_client import CLIENT_ID
from order_operations.dead_letters.letter_view import DEAD_LETTER_TOPICS
from order_runtime.access.kafka_rights import (
    DESCRIBE,
    DESCRIBE_CONFIGS,
    READ,
    WRITE,
    KafkaRights,
    on_groups,
    on_topics,
)
from order_runtime.access.rights import CLUSTER, CLUSTER_NAME, GROUP, KafkaRight

CREATE: Final = "CREATE"
ALTER: Final = "ALTER"
ALTER_CONFIGS: Final = "ALTER_CONFIGS"

CONSUMERS: Final = (WRITER, ENRICHER, TRIGGER)
REFERENCE: Final = (CONTACTS, ARTICLES, STORES)
REPLAYED: Final = (COMMANDS, EVENTS, ACTIONS)  # where dead letters came from


def order_publisher() -> KafkaRights:
    public = {it for it in TOPICS if PUBLIC in it.writers}
    return on_topics(WRITE, public - set(REFERENCE))


def reference_publisher() -> KafkaRights:
    """Return those to load reference data, and to see that the enricher has read it."""
    return on_topics(WRITE, REFERENCE) | on_groups(DESCRIBE, ENRICHER)


def event_reader() -> KafkaRights:
    return on_topics(READ, (it for it in TOPICS if PUBLIC in it.readers))


def dashboard() -> KafkaRights:
    """Return those to look at all topics and their settings, and at the services' groups."""
    return (
        on_topics(READ, TOPICS)
        | on_topics(DESCRIBE_CONFIGS, TOPICS)
        | on_groups(DESCRIBE, *CONSUMERS)
    )


def own_groups(principal: str) -> KafkaRight:
    """Return the right on the groups of a principal outside: those named after it, and a dot."""
    return KafkaRight(GROUP, f"{principal.removeprefix('User:')}.", READ, prefixed=True)


def operator() -> KafkaRights:
    """
    Return those of the `orders` command, but for the migrator's.

    Dead letters are read, sent again and marked; an erasure publishes a contact's tombstone. The
    offsets of groups are set, which takes the right to read their topics. `orders doctor` compares
    the settings of all topics; Kafka shows who may do what, and how full its disks are, to whoever
    may describe the cluster.
    """
    read_by_groups = [it for it in TOPICS if it.readers & set(CONSUMERS)]
    letters = [it for it in TOPICS if it.name in DEAD_LETTER_TOPICS]
    reads = {*read_by_groups, *letters, HANDLED}
    writes = {*REPLAYED, HANDLED, CONTACTS}
    return (
        on_topics(READ, reads)
        | on_topics(WRITE, writes)
        | on_topics(DESCRIBE, set(TOPICS) - reads - writes)
        | on_topics(DESCRIBE_CONFIGS, TOPICS)
        | on_groups(READ, *CONSUMERS)
        | on_groups(DESCRIBE, CLIENT_ID)
        | {KafkaRight(CLUSTER, CLUSTER_NAME, DESCRIBE)}
    )


def migrator() -> KafkaRights:
    """Return those to create and alter topics, and to see that groups have read all of them."""
    operations = (CREATE, DESCRIBE, ALTER, ALTER_CONFIGS)
    topics = frozenset[KafkaRight]().union(*(on_topics(it, TOPICS) for it in operations))
    return topics | on_groups(DESCRIBE, *CONSUMERS)
