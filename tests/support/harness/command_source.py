"""The order-writer's consumer without its ledger: what it is composed of, for tests on Kafka."""

from __future__ import annotations

from collections.abc import Sequence

from order_contracts.topics import DEFAULT_PARTITIONS, WRITER
from order_runtime.kafka.address import KafkaAddress
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import client
from order_runtime.startup.preflight import check_topics
from order_runtime.startup.stored_offsets import group_of
from order_writer.adapters.kafka_consumer import KafkaCommandSource
from order_writer.adapters.stored_offsets import StoredOffsets
from order_writer.domain.offset_tracker import ends


class StoringSource(KafkaCommandSource):
    """
    Stores the offsets of what it commits before it does, as the ledger stores a batch's.

    Each wait is one that polls, unless `unpolled_seconds` says otherwise.
    """

    def __init__(
        self,
        kafka: KafkaAddress,
        instance: str,
        mongo: str,
        database: str,
        unpolled_seconds: float = 0,
    ) -> None:
        group = group_of(WRITER, check_topics(kafka, WRITER, DEFAULT_PARTITIONS))
        self._mongo = client(mongo, WRITER)
        self.stored = StoredOffsets(self._mongo, database, group)
        super().__init__(kafka, instance, self.stored, unpolled_seconds)

    def commit(self, records: Sequence[Record]) -> None:
        self.stored.settle(ends(records))
        super().commit(records)

    def close(self) -> None:
        super().close()
        self._mongo.close()
