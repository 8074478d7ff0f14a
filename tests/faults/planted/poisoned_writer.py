"""
An order-writer that raises an unexpected error at one command; tests run it as a process.

It is the real one in all else. The environment's POISON is the `ce_id` of that command.
"""

from __future__ import annotations

import os

from order_contracts.topics import COMMANDS, WRITER
from order_runtime.kafka.publisher import BatchPublisher
from order_runtime.mongo.client import client
from order_runtime.process import logs
from order_runtime.process.settings import load
from order_runtime.process.signals import stop_event
from order_runtime.startup.preflight import check_topics
from order_runtime.startup.stored_offsets import group_of
from order_writer.__main__ import TIMEOUT_MS
from order_writer.adapters.kafka_consumer import KafkaCommandSource
from order_writer.adapters.mongo_store import MongoLedger
from order_writer.adapters.stored_offsets import StoredOffsets
from order_writer.app.batch_processor import BatchProcessor
from order_writer.domain.batch_items import TopicInfo
from order_writer.settings import Settings


def issued(job_id: str) -> bool:
    """Raise, during decoding, for the poisoned id; no other id was issued by a gateway."""
    if job_id == os.environ["POISON"]:
        raise RuntimeError("planted")
    return False


def main() -> None:
    settings, stop = load(Settings), stop_event()
    logs.configure(WRITER, settings.instance, settings.log_level)
    topics = check_topics(settings.kafka_address, WRITER, settings.partitions)
    topic = topics[COMMANDS.name]
    mongo = client(settings.mongo_uri, WRITER, TIMEOUT_MS)
    offsets = StoredOffsets(mongo, settings.database, group_of(WRITER, topics))
    store = MongoLedger(mongo, settings.database, 2**24, offsets)
    source = KafkaCommandSource(settings.kafka_address, settings.instance, offsets)
    sink = BatchPublisher(settings.kafka_address, settings.instance)
    BatchProcessor(source, store, sink, TopicInfo(topic.id, topic.partitions, issued), stop).run(
        100, 2**24
    )
    source.close()


if __name__ == "__main__":
    main()
