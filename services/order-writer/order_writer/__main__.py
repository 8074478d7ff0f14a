"""The order-writer as a process: composes its parts and runs until it is told to stop."""

from __future__ import annotations

import sys

from order_contracts.topics import COMMANDS, WRITER
from order_runtime import health, logs
from order_runtime.job_ids import Secrets
from order_runtime.mongo import client
from order_runtime.publisher import BatchPublisher
from order_runtime.settings import load, secret_list
from order_runtime.signals import stop_event
from order_runtime.topics import AssumptionBroken, described
from order_writer.decode import Log
from order_writer.fold import OwnCommandUnreadable
from order_writer.loop import EverythingFails, Writer
from order_writer.settings import Settings
from order_writer.source import CommandSource, OffsetsLost
from order_writer.store import Store

_SENTENCES = {
    OwnCommandUnreadable: "This release can't read a command that our gateway accepted; it stops.",
    EverythingFails: "One command after the other fails for a reason nobody knows; it stops.",
    OffsetsLost: "Commands were deleted before they were read; set the group's offsets by hand.",
    AssumptionBroken: "The topic is not what this service relies on.",
}


def main() -> int:
    settings = load(Settings)
    logs.configure(WRITER, settings.instance, settings.log_level)
    stop = stop_event()
    mongo = client(settings.mongo, WRITER)
    secrets = Secrets(secret_list(settings.job_secrets))
    topic = described(settings.kafka, COMMANDS)
    reads = Log(topic.id, topic.partitions, lambda job_id: secrets.issued_at(job_id) is not None)
    store = Store(mongo, settings.database, settings.batch_bytes)
    source = CommandSource(settings.kafka, settings.instance)
    sink = BatchPublisher(settings.kafka, settings.instance)
    with health.serving(settings.health_host, settings.health_port, ready=lambda: source.assigned):
        try:
            store.prepare()
            Writer(source, store, sink, reads, stop).run(
                settings.batch_commands, settings.batch_bytes
            )
        finally:
            source.close()
            mongo.close()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except tuple(_SENTENCES) as broken:
        logs.log().critical(_SENTENCES[type(broken)], detail=str(broken))
        sys.exit(1)
