"""
An order-writer that fails at one command for a reason nobody knows: run by tests as a process.

The real one in all else. POISON names the command by its `ce_id`.
"""

from __future__ import annotations

import os

from order_contracts.topics import COMMANDS, WRITER
from order_runtime import logs
from order_runtime.examine import topics_examined
from order_runtime.mongo import client
from order_runtime.publisher import BatchPublisher
from order_runtime.settings import load
from order_runtime.signals import stop_event
from order_writer.__main__ import TIMEOUT_MS
from order_writer.decode import Log
from order_writer.loop import Writer
from order_writer.settings import Settings
from order_writer.source import CommandSource
from order_writer.store import Store


def issued(job_id: str) -> bool:
    """Fail where the real one asks whether a gateway issued the poison's id: amid decoding."""
    if job_id == os.environ["POISON"]:
        raise RuntimeError("planted")
    return False


def main() -> None:
    settings, stop = load(Settings), stop_event()
    logs.configure(WRITER, settings.instance, settings.log_level)
    topic = topics_examined(settings.kafka, WRITER)[COMMANDS.name]
    store = Store(client(settings.mongo, WRITER, TIMEOUT_MS), settings.database, 2**24)
    store.prepare()
    source = CommandSource(settings.kafka, settings.instance)
    sink = BatchPublisher(settings.kafka, settings.instance)
    Writer(source, store, sink, Log(topic.id, topic.partitions, issued), stop).run(100, 2**24)
    source.close()


if __name__ == "__main__":
    main()
