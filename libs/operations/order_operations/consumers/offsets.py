"""
Where the consumer groups go on, as Kafka and MongoDB have it, and both set to agree.

After MongoDB was restored to an earlier time, Kafka's committed offsets are ahead of it: the
records between would be skipped. After records were deleted unread, they are below the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec
from pymongo import UpdateOne
from pymongo.database import Database

from order_contracts.topics import ENRICHER, TOPICS, TRIGGER, WRITER
from order_operations.connections.kafka_client import SILENCE_SECONDS, admin_client
from order_operations.connections.mongo_client import open_database
from order_operations.connections.system_address import SystemAddress
from order_operations.consumers.drained_groups import require_no_members
from order_operations.consumers.progress import partition_offsets
from order_operations.problems import OperationFailed
from order_runtime.documents.consumer_offsets import GroupOffsets, Offsets
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.offsets import committed_offsets
from order_runtime.mongo.client import COMMITTED, CONSUMER_OFFSETS, DURABLE, Document

GROUPS = (WRITER, ENRICHER, TRIGGER)


@dataclass(frozen=True, slots=True)
class PartitionPlan:
    """Where a group goes on in one partition."""

    group: str
    topic: str
    partition: int
    kafka: int | None
    """The committed offset; None where there is none."""
    mongo: int | None
    """The stored offset; None where nothing is stored of this topic."""
    start: int
    """Of the log: the first offset that Kafka still has."""
    end: int
    next: int
    """Where the group goes on, once the plan is applied."""
    lost: int
    """Offsets between what was done and the log's start, whose records Kafka has no more."""

    @property
    def changes(self) -> bool:
        begun = self.kafka is not None or self.mongo is not None
        return begun and (self.kafka != self.next or self.lost > 0)


def plan_offsets(address: SystemAddress) -> list[PartitionPlan]:
    """
    Return where each group goes on in each partition it reads: at the lower of both offsets.

    Raises OperationFailed where Kafka or MongoDB doesn't answer.
    """
    with open_database(address.mongo) as database:
        client = admin_client(address.kafka)
        try:
            return _plan(address.kafka, client, database, _groups(client))
        except (KafkaException, KeyError, TimeoutError) as error:
            raise _kafka_away(address) from error


def apply_offsets(address: SystemAddress, *, accept_loss: bool = False) -> list[PartitionPlan]:
    """
    Set the offsets of Kafka, and those of MongoDB behind lost records; return what changed.

    Of a group that has members nothing can be set. Raises OperationFailed for it before anything
    is set, and where records are lost and *accept_loss* is not given.
    """
    with open_database(address.mongo) as database:
        client = admin_client(address.kafka)
        try:
            groups = _groups(client)
            changes = [it for it in _plan(address.kafka, client, database, groups) if it.changes]
            require_no_members(client, {it.group for it in changes})
            _require_accepted([it for it in changes if it.lost], accept_loss=accept_loss)
            for group in groups:
                _set(client, database, group, [it for it in changes if it.group == group.group])
        except (KafkaException, KeyError, TimeoutError) as error:
            raise _kafka_away(address) from error
    return changes


def planned(
    group: str, place: tuple[str, int], offsets: tuple[int | None, int | None], log: tuple[int, int]
) -> PartitionPlan:
    """
    Return the plan of a partition by its *offsets* in Kafka and in MongoDB. Pure.

    Kafka's offset alone, behind the log's end, is of a topic that was deleted and made anew: its
    first record is next.
    """
    kafka, mongo = offsets
    start, end = log
    done = min((it for it in offsets if it is not None), default=start)
    goes_on = start if mongo is None and done > end else min(max(done, start), end)
    return PartitionPlan(group, *place, kafka, mongo, start, end, goes_on, max(0, start - done))


def _plan(
    kafka: KafkaAddress,
    client: AdminClient,
    database: Database[Document],
    groups: Iterable[GroupOffsets],
) -> list[PartitionPlan]:
    plans: list[PartitionPlan] = []
    for group in groups:
        places = group.all_partitions()
        asked = [TopicPartition(*it) for it in places]
        # In this order: each is raised before the one that was asked for first.
        committed = committed_offsets(kafka, group.group, places)
        stored = group.read(_stored(database, group, places))
        starts = partition_offsets(client, asked, OffsetSpec.earliest())
        ends = partition_offsets(client, asked, OffsetSpec.latest())
        for place in places:
            both = committed.get(place), stored.get(place)
            plans.append(planned(group.group, place, both, (starts[place], ends[place])))
    return plans


def _groups(client: AdminClient) -> list[GroupOffsets]:
    """Return the groups with the ids that their topics have now."""
    names = [topic.name for topic in TOPICS]
    found = client.describe_topics(TopicCollection(names), request_timeout=SILENCE_SECONDS)
    topics = {name: found[name].result(SILENCE_SECONDS) for name in names}
    reads: Mapping[str, list[str]] = {
        group: [topic.name for topic in TOPICS if group in topic.readers] for group in GROUPS
    }
    return [
        GroupOffsets(
            group,
            {name: str(topics[name].topic_id) for name in reads[group]},
            {name: len(topics[name].partitions) for name in reads[group]},
        )
        for group in GROUPS
    ]


def _stored(
    database: Database[Document], group: GroupOffsets, places: Sequence[tuple[str, int]]
) -> list[Document]:
    collection = database.get_collection(CONSUMER_OFFSETS, read_concern=COMMITTED)
    return collection.find(group.query(places)).to_list()


def _require_accepted(lost: Sequence[PartitionPlan], *, accept_loss: bool) -> None:
    if lost and not accept_loss:
        places = ", ".join(
            f"{it.group} {it.topic} {it.partition} ({it.start - it.lost} to {it.start - 1})"
            for it in lost
        )
        raise OperationFailed(
            f"Kafka has deleted records that MongoDB lacks: {places}. Who sent the commands can"
            " ask by POST /orders/check what is missing, and send that again. With --accept-loss"
            " the groups go on behind them. Nothing was set."
        )


def _set(
    client: AdminClient,
    database: Database[Document],
    group: GroupOffsets,
    changes: Sequence[PartitionPlan],
) -> None:
    """Set MongoDB's offsets first: where Kafka's aren't set after it, the plan says so again."""
    skipped: Offsets = {(it.topic, it.partition): it.next for it in changes if it.lost}
    if skipped:
        collection = database.get_collection(CONSUMER_OFFSETS, write_concern=DURABLE)
        collection.bulk_write([UpdateOne(*it, upsert=True) for it in group.adopt(skipped)])
    if changes:
        wanted = [TopicPartition(it.topic, it.partition, it.next) for it in changes]
        request = [ConsumerGroupTopicPartitions(group.group, wanted)]
        answer = client.alter_consumer_group_offsets(request)[group.group]
        for place in answer.result(SILENCE_SECONDS).topic_partitions:
            if place.error is not None:
                raise KafkaException(place.error)


def _kafka_away(address: SystemAddress) -> OperationFailed:
    return OperationFailed(
        f"Kafka at {address.kafka} doesn't answer, refuses, or lacks a topic; docs/operating.md"
        " lists all."
    )
