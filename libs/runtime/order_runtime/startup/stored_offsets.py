"""Stored offsets at a consumer's start: they are begun, and MongoDB must not be behind Kafka."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from typing import Final

from pymongo import MongoClient, UpdateOne
from pymongo.database import Database

from order_contracts.topics import ENRICHER, TOPICS, TRIGGER, WRITER
from order_runtime.documents.consumer_offsets import (
    GroupOffsets,
    Offsets,
    Partition,
    behind,
    restored_sentence,
)
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.offsets import committed_offsets, first_offsets, holds_records
from order_runtime.mongo.client import (
    ACTION_DELIVERIES,
    ARTICLES,
    COMMITTED,
    CONSUMER_OFFSETS,
    CONTACTS,
    JOBS,
    LINKS,
    STORES,
    Document,
    client,
)
from order_runtime.process.errors import DatabaseBehind
from order_runtime.startup.preflight import until_available
from order_runtime.startup.requirements import ObservedTopic
from order_runtime.startup.rights import DATABASE_TIMEOUT_MS

_EFFECTS: Final[Mapping[str, Collection[str]]] = {
    WRITER: (JOBS,),
    ENRICHER: (LINKS, CONTACTS, ARTICLES, STORES),
    TRIGGER: (ACTION_DELIVERIES,),
}
"""The collections of which each group fills one at least, as soon as it reads."""


def group_of(service: str, topics: Mapping[str, ObservedTopic]) -> GroupOffsets:
    """Return the group of *service*, with the ids of those of *topics* that it reads."""
    reads = [topic.name for topic in TOPICS if service in topic.readers]
    return GroupOffsets(
        service,
        {name: topics[name].id for name in reads},
        {name: topics[name].partitions for name in reads},
    )


def begin_stored_offsets(
    kafka: KafkaAddress, mongo: str, database: str, group: GroupOffsets, stop: threading.Event
) -> tuple[Offsets, Offsets]:
    """
    Return what is stored of all partitions that *group* reads, and what Kafka has committed.

    Waits for both. Where nothing is stored, as by an earlier release, it begins with what is
    committed; in a database that has nothing at all of the group, with the log's start.
    """
    with client(mongo, group.group, DATABASE_TIMEOUT_MS) as connected:
        return until_available(stop, lambda: _begun(kafka, connected, database, group))


def require_stored_offsets(
    kafka: KafkaAddress, mongo: str, database: str, group: GroupOffsets, stop: threading.Event
) -> Offsets:
    """
    Return what is stored of all partitions that *group* reads, begun where nothing is.

    Raises DatabaseBehind where Kafka is ahead of it: the records between would be skipped.
    """
    stored, committed = begin_stored_offsets(kafka, mongo, database, group, stop)
    skipped = until_available(
        stop,
        lambda: {
            place: at
            for place, at in behind(stored, committed).items()
            if holds_records(kafka, group.group, place, at, committed[place])
        },
    )
    if skipped:
        raise DatabaseBehind(restored_sentence(group.group, skipped, committed))
    return stored


def _begun(
    kafka: KafkaAddress, mongo: MongoClient[Document], name: str, group: GroupOffsets
) -> tuple[Offsets, Offsets]:
    partitions = group.all_partitions()
    database = mongo.get_database(name, read_concern=COMMITTED)
    # In this order, since a worker stores before it commits, and begins before it has effects:
    # beside another one, nothing is found lower than it is.
    committed = committed_offsets(kafka, group.group, partitions)
    used = _is_used(database, group)
    stored = group.read(database[CONSUMER_OFFSETS].find(group.query(partitions)))
    if new := [place for place in committed if place not in stored]:
        begins = committed if used else first_offsets(kafka, group.group, new)
        _adopt(database, group, {place: begins[place] for place in new})
        stored = group.read(database[CONSUMER_OFFSETS].find(group.query(partitions)))
    return stored, committed


def _is_used(database: Database[Document], group: GroupOffsets) -> bool:
    return any(
        database[name].find_one({}, {"_id": True}) is not None for name in _EFFECTS[group.group]
    )


def _adopt(
    database: Database[Document], group: GroupOffsets, offsets: Mapping[Partition, int]
) -> None:
    writes = [UpdateOne(*it, upsert=True) for it in group.adopt(offsets)]
    database[CONSUMER_OFFSETS].bulk_write(writes)
