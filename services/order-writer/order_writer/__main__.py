"""The order-writer as a process: composes its parts and runs until it is told to stop."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from threading import Event
from typing import Final, TypeVar

from confluent_kafka import KafkaException
from pymongo.errors import ConnectionFailure

from order_contracts.topics import COMMANDS, WRITER
from order_runtime.auth.job_ids import JobIdSecrets
from order_runtime.kafka.publisher import BatchPublisher
from order_runtime.mongo.client import client
from order_runtime.process import health, logs
from order_runtime.process.errors import UnrecoverableError
from order_runtime.process.settings import load, secret_list
from order_runtime.process.signals import stop_event
from order_runtime.startup.preflight import check_database, check_topics
from order_writer.adapters.kafka_consumer import KafkaCommandSource
from order_writer.adapters.mongo_store import MongoLedger
from order_writer.app.batch_processor import BatchProcessor, EverythingFails
from order_writer.domain.batch import OwnCommandUnreadable
from order_writer.domain.decode import TopicInfo
from order_writer.settings import Settings

T = TypeVar("T")

TIMEOUT_MS: Final = 30_000  # for one operation of a batch; half of what a transaction may last
PAUSE: Final = 1.0  # seconds between two questions to what is away

_SENTENCES = {
    OwnCommandUnreadable: "This release can't read a command that our gateway accepted; it stops.",
    EverythingFails: "One command after the other fails for a reason nobody knows; it stops.",
}


def main() -> int:
    settings = load(Settings)
    logs.configure(WRITER, settings.instance, settings.log_level)
    # A batch is thousands of objects that live as long as it does: collecting among them again
    # and again, as the default does, costs a third of the time.
    gc.set_threshold(50_000, 20, 50)
    stop, sources = stop_event(), list[KafkaCommandSource]()
    with health.serving(
        settings.health_host,
        settings.health_port,
        ready=lambda: any(source.assigned for source in sources),
    ):
        run(settings, stop, sources.append)
    return 0


def run(settings: Settings, stop: Event, started: Callable[[KafkaCommandSource], None]) -> None:
    """Settle commands until asked to stop; waits for Kafka and MongoDB where they are away."""
    secrets = JobIdSecrets(secret_list(settings.job_secrets))
    mongo = client(settings.mongo, WRITER, TIMEOUT_MS)
    store = MongoLedger(mongo, settings.database, settings.batch_bytes)
    when_there(stop, "mongo", lambda: check_database(mongo))
    when_there(stop, "mongo", store.prepare)
    topics = when_there(stop, "kafka", lambda: check_topics(settings.kafka, WRITER))
    if topics is None:
        return
    topic = topics[COMMANDS.name]
    reads = TopicInfo(
        topic.id, topic.partitions, lambda job_id: secrets.issued_at(job_id) is not None
    )
    source = KafkaCommandSource(settings.kafka, settings.instance)
    started(source)
    try:
        sink = BatchPublisher(settings.kafka, settings.instance)
        writer = BatchProcessor(source, store, sink, reads, stop)
        writer.run(settings.batch_commands, settings.batch_bytes)
    finally:
        source.close()
        mongo.close()


def when_there(stop: Event, whom: str, ask: Callable[[], T]) -> T | None:
    """Return the answer of Kafka or MongoDB as soon as it is there; None if stopped before."""
    while not stop.is_set():
        try:
            return ask()
        except KafkaException as error:  # by its name: that others are joining is no outage
            logs.log().warning("waiting", missing=whom, error=error.args[0].name())
        except ConnectionFailure as error:
            logs.log().warning("waiting", missing=whom, error=type(error).__name__)
        stop.wait(PAUSE)
    return None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UnrecoverableError as reason:
        logs.log().critical(str(reason))
        sys.exit(1)
    except tuple(_SENTENCES) as broken:
        logs.log().critical(_SENTENCES[type(broken)], detail=str(broken))
        sys.exit(1)
    except Exception as error:  # noqa: BLE001  its text may quote a document, so nobody prints it
        logs.log().critical("crashed", **logs.error_fields(error))
        sys.exit(70)
