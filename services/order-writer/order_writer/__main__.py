"""The order-writer as a process: composes its parts and settles commands until told to stop."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import Final

from order_contracts.topics import COMMANDS, WRITER
from order_runtime.auth.command_signatures import CommandSignatures
from order_runtime.auth.job_ids import JobIdSecrets
from order_runtime.kafka.publisher import BatchPublisher
from order_runtime.kafka.refusal_log import log_refusal
from order_runtime.mongo.client import client
from order_runtime.mongo.consumer_pauses import ConsumerPauses
from order_runtime.observability.progress import Loop
from order_runtime.observability.watch import watched
from order_runtime.process.service_runner import Process, collect_garbage_rarely, run_service
from order_runtime.process.settings import secret_list
from order_runtime.startup.preflight import preflight
from order_runtime.startup.stored_offsets import begin_stored_offsets, group_of
from order_writer.adapters.kafka_consumer import KafkaCommandSource
from order_writer.adapters.mongo_store import MongoLedger
from order_writer.adapters.stored_offsets import StoredOffsets
from order_writer.app.batch_processor import LOOP, BatchProcessor
from order_writer.domain.batch_items import TopicInfo
from order_writer.settings import Settings

TIMEOUT_MS: Final = 30_000  # for one operation of a batch; half of what a transaction may last


def run(process: Process[Settings]) -> None:
    """Settle commands until asked to stop; waits for Kafka and MongoDB where they are away."""
    collect_garbage_rarely()
    pauses = ConsumerPauses(WRITER)
    with watched(process, WRITER, pauses.refresh):
        settle(process, pauses)


def settle(process: Process[Settings], pauses: ConsumerPauses) -> None:
    settings = process.settings
    kafka, uri = settings.kafka_address, settings.mongo_uri
    topics = preflight(settings, WRITER, process.stop)
    topic, group = topics[COMMANDS.name], group_of(WRITER, topics)
    begin_stored_offsets(kafka, uri, settings.database, group, process.stop)
    with client(uri, WRITER, TIMEOUT_MS) as mongo:
        stored = StoredOffsets(mongo, settings.database, group)
        ledger = MongoLedger(mongo, settings.database, settings.batch_bytes, stored)
        with closing(KafkaCommandSource(kafka, settings.instance, stored)) as source:
            process.probes.ready = lambda: source.assigned
            sink = BatchPublisher(kafka, settings.instance, log_refusal)
            reads = topic_info(settings, topic.id, topic.partitions)
            process.probes.loops.append(loop := Loop(LOOP))
            processor = BatchProcessor(
                source, ledger, sink, reads, process.stop, loop, process.tracing
            )
            paused = partial(pauses.holds, COMMANDS.name)
            processor.run(settings.batch_commands, settings.batch_bytes, paused)


def topic_info(settings: Settings, topic_id: str, partitions: int) -> TopicInfo:
    """Return what decoding needs: the topic, and which job ids and records are the gateways'."""
    secrets = JobIdSecrets(secret_list(settings.job_secrets))
    return TopicInfo(
        topic_id,
        partitions,
        issued=lambda job_id: secrets.issued_at(job_id) is not None,
        signed=CommandSignatures(secrets).made,
    )


if __name__ == "__main__":
    run_service(WRITER, Settings, run)
