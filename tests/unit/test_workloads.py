"""The table of workloads: it covers every topic and collection, and gives nobody too much."""

from __future__ import annotations

import pytest

from order_contracts.topics import (
    ENRICHER,
    GATEWAY,
    MIGRATOR,
    OPERATOR,
    TOPICS,
    TRIGGER,
    WRITER,
    Topic,
)
from order_operations.access.plan import kafka_holdings, principals_by_workload
from order_operations.workloads.table import (
    DASHBOARD,
    EVENT_READER,
    ORDER_PUBLISHER,
    REFERENCE_PUBLISHER,
    WORKLOADS,
    Workload,
)
from order_runtime.access.rights import (
    CLUSTER,
    GROUP,
    TOPIC,
    WHOLE_DATABASE,
    KafkaRight,
    MongoRight,
)
from order_runtime.mongo.client import INSTANCES, JOBS, ORDERS
from order_runtime.mongo.collections import COLLECTIONS, collections_of

BY_NAME = {it.name: it for it in WORKLOADS}
SERVICES = (GATEWAY, WRITER, ENRICHER, TRIGGER)
EACH = pytest.mark.parametrize("workload", WORKLOADS, ids=lambda it: it.name)
WHOLE_DATABASE_ACTIONS = {"listCollections", "dbStats", "viewRole"}
MONGO_ACTIONS = {"find", "insert", "update", "remove", "listIndexes"} | WHOLE_DATABASE_ACTIONS
INDEX_ACTIONS = {"createIndex", "dropIndex", "collMod"}


def topics_on_which(workload: str, *operations: str) -> set[str]:
    rights = BY_NAME[workload].kafka
    return {it.name for it in rights if it.resource == TOPIC and it.operation in operations}


def collections_on_which(workload: str, *operations: str) -> set[str]:
    return {it.collection for it in BY_NAME[workload].mongo if it.operation in operations}


def test_an_order_publisher_writes_commands_and_has_no_other_right() -> None:
    commands = KafkaRight(TOPIC, "orders.commands", "WRITE")
    assert BY_NAME[ORDER_PUBLISHER] == Workload(ORDER_PUBLISHER, frozenset({commands}))


def test_a_reference_publisher_writes_reference_data_alone() -> None:
    reference = {"reference.contacts", "reference.articles", "reference.stores"}
    assert topics_on_which(REFERENCE_PUBLISHER, "WRITE") == reference
    assert {it.operation for it in BY_NAME[REFERENCE_PUBLISHER].kafka} == {"WRITE", "DESCRIBE"}
    assert not BY_NAME[REFERENCE_PUBLISHER].mongo


def test_an_event_reader_reads_what_is_public_in_groups_of_its_own() -> None:
    assert topics_on_which(EVENT_READER, "READ") == {
        *("orders.events", "orders.enriched", "orders.actions", "orders.deliveries")
    }
    rights = kafka_holdings(principals_by_workload(named=["event-reader=User:shop"]))["User:shop"]
    groups = {it for it in rights if it.resource == GROUP}
    assert groups == {KafkaRight(GROUP, "shop.", "READ", prefixed=True)}
    assert {it.operation for it in rights} == {"READ"}


def test_a_dashboard_changes_nothing() -> None:
    assert topics_on_which(DASHBOARD, "READ") == {it.name for it in TOPICS}
    operations = {it.operation for it in BY_NAME[DASHBOARD].kafka}
    assert operations == {"READ", "DESCRIBE", "DESCRIBE_CONFIGS"}
    assert not BY_NAME[DASHBOARD].mongo


@EACH
def test_nobody_has_a_wildcard_or_changes_the_cluster(workload: Workload) -> None:
    """Nor a right that allows everything, or that deletes a topic or its records."""
    assert {it.resource for it in workload.kafka} <= {TOPIC, GROUP, CLUSTER}
    on_cluster = {it for it in workload.kafka if it.resource == CLUSTER}
    looks = {KafkaRight(CLUSTER, "kafka-cluster", "DESCRIBE")}
    assert on_cluster == (looks if workload.name == OPERATOR else set())
    changes = {"CREATE", "ALTER", "ALTER_CONFIGS"}
    operations = {"READ", "WRITE", "DESCRIBE", "DESCRIBE_CONFIGS"} | changes
    assert {it.operation for it in workload.kafka} <= operations
    assert not [it for it in workload.kafka if it.name in {"*", ""} or it.prefixed]
    whole = {it.operation for it in workload.mongo if it.collection == WHOLE_DATABASE}
    assert whole <= WHOLE_DATABASE_ACTIONS
    assert {it.operation for it in workload.mongo} <= MONGO_ACTIONS | INDEX_ACTIONS


@EACH
def test_rights_are_on_what_there_is(workload: Workload) -> None:
    on_topics = {it.name for it in workload.kafka if it.resource == TOPIC}
    assert on_topics <= {it.name for it in TOPICS}
    names = {it.name for it in COLLECTIONS}
    assert {it.collection for it in workload.mongo} <= {*names, WHOLE_DATABASE}


@pytest.mark.parametrize("topic", TOPICS, ids=lambda it: it.name)
def test_a_topic_is_written_by_its_writers_alone_but_for_the_operator(topic: Topic) -> None:
    name = topic.name
    writers = {it.name for it in WORKLOADS if name in topics_on_which(it.name, "WRITE")}
    outside = {ORDER_PUBLISHER, REFERENCE_PUBLISHER}
    assert writers - outside - {OPERATOR} == topic.writers - {"public", OPERATOR}
    assert bool(writers & outside) == ("public" in topic.writers)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_and_writes_what_the_topics_say(service: str) -> None:
    reads = {it.name for it in TOPICS if service in it.readers}
    writes = {it.name for it in TOPICS if service in it.writers}
    assert topics_on_which(service, "READ") == reads
    assert topics_on_which(service, "WRITE") == writes
    own = KafkaRight(GROUP, service, "READ")
    assert (own in BY_NAME[service].kafka) is bool(reads)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_uses_what_the_collections_say(service: str) -> None:
    reads = {it.name for it in COLLECTIONS if service in it.readers}
    writes = {it.name for it in COLLECTIONS if service in it.writers}
    assert collections_on_which(service, "find") == reads
    assert collections_on_which(service, "insert", "update", "remove") == writes
    uses = {it.name for it in collections_of(service)}
    assert collections_on_which(service, "listIndexes") == uses


def test_every_topic_and_collection_can_be_made_by_the_migrator_alone() -> None:
    topics = {it.name for it in TOPICS}
    changes = ("CREATE", "ALTER", "ALTER_CONFIGS")
    makers = {it.name for it in WORKLOADS if topics_on_which(it.name, *changes)}
    assert topics_on_which(MIGRATOR, "CREATE") == topics
    assert makers == {MIGRATOR}
    indexed = {it.name for it in COLLECTIONS if it.indexes}
    assert collections_on_which(MIGRATOR, "createIndex") == indexed
    changers = {it.name for it in WORKLOADS if collections_on_which(it.name, *INDEX_ACTIONS)}
    assert changers == {MIGRATOR}


def test_the_gateway_writes_only_its_own_heartbeat_and_nobody_deletes_orders_or_jobs() -> None:
    assert collections_on_which(GATEWAY, "insert", "update", "remove") == {INSTANCES}
    for collection in (ORDERS, JOBS):
        deleters = [it for it in WORKLOADS if MongoRight(collection, "remove") in it.mongo]
        assert not deleters
