"""Threads that ask Kafka and MongoDB every few seconds, and refresh gauges that need a query."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from order_contracts.topics import TOPICS
from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from order_runtime.kafka.refusal_log import log_refusal
from order_runtime.mongo.client import CODEC, Document, client
from order_runtime.observability import metrics
from order_runtime.observability.certificates import show_expiries
from order_runtime.observability.dependencies import KAFKA, MONGODB
from order_runtime.observability.group_lag import SECONDS, GroupLag, lacking
from order_runtime.observability.heartbeat import Heartbeat
from order_runtime.observability.secret_ages import note_secrets
from order_runtime.process.log_events import GAUGES_NOT_REFRESHED
from order_runtime.process.logs import error_fields, log
from order_runtime.process.service_runner import Process, S, reason_of_end
from order_runtime.process.settings import ServiceSettings

WATCH_SECONDS: Final = 5.0  # between two looks
TIMEOUT_MS: Final = 2_000  # for a query
LEAVE_SECONDS: Final = 1.0  # for a look that is under way at the end; it has no effects

Refresh = Callable[[Database[Document]], None]
"""Sets gauges by a query that is bounded and has an index."""


@dataclass
class _End:
    """When the watch is to end, and why the process does."""

    stop: threading.Event = field(default_factory=threading.Event)
    failure: str | None = None
    """Set before *stop*; None where the process was asked to end."""


@contextmanager
def watched(process: Process[S], service: str, *refresh: Refresh) -> Iterator[None]:
    """
    Watch Kafka, MongoDB and the gauges of *service* beside the block.

    The process's document in `instances` is kept up to date meanwhile, and says at the end why.
    """
    settings = process.settings
    show_expiries(settings)
    note_secrets(type(settings))
    end = _End()
    heartbeat = Heartbeat(settings, service, process.probes)
    looks = (
        lambda: _watch_kafka(settings.kafka_address, service, end.stop),
        lambda: _watch_mongodb(settings, heartbeat, refresh, end),
    )
    # What the log says of the process is a matter of the context, which a thread doesn't inherit.
    threads = [
        threading.Thread(target=copy_context().run, args=(it,), name="watch", daemon=True)
        for it in looks
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    except BaseException as error:
        end.failure = reason_of_end(error)
        raise
    finally:
        end.stop.set()
        for thread in threads:
            thread.join(LEAVE_SECONDS)


def _watch_kafka(kafka: KafkaAddress, service: str, stop: threading.Event) -> None:
    with _question(kafka, service) as ask:
        while not stop.is_set():
            try:
                ask()
            except KafkaException as error:
                KAFKA.failed(error.args[0].name())
            else:
                KAFKA.answered()
            stop.wait(WATCH_SECONDS)


@contextmanager
def _question(kafka: KafkaAddress, service: str) -> Iterator[Callable[[], object]]:
    """
    Yield what measures the lag of the service's group, or asks for a topic that it writes.

    The latter where it reads nothing: a consumer looks for the coordinator of its group, which is
    a right that this service doesn't have, and brokers log each refusal.
    """
    reads = [topic.name for topic in TOPICS if service in topic.readers]
    if not reads:
        [topic, *_] = [it.name for it in TOPICS if service in it.writers]
        client = AdminClient(librdkafka_config(kafka) | {"error_cb": log_refusal, "log_level": 0})
        yield lambda: _show_replicas(client, topic)
        return
    with closing(GroupLag(kafka, service, reads, log_refusal)) as lag:
        yield lambda: _show_lag(lag, service, reads)


def _show_replicas(client: AdminClient, topic: str) -> None:
    found = client.list_topics(topic, timeout=SECONDS).topics[topic]
    metrics.UNDER_REPLICATED.labels(topic).set(lacking(found))


def _show_lag(lag: GroupLag, group: str, topics: list[str]) -> None:
    found = lag.measure()
    for topic in topics:
        metrics.LAG_RECORDS.labels(group, topic).set(found[topic].records)
        metrics.LAG_SECONDS.labels(group, topic).set(found[topic].seconds)
        metrics.UNDER_REPLICATED.labels(topic).set(found[topic].under_replicated)


def _watch_mongodb(
    settings: ServiceSettings, heartbeat: Heartbeat, refresh: tuple[Refresh, ...], end: _End
) -> None:
    with client(settings.mongo_uri, heartbeat.identity.service, TIMEOUT_MS) as mongo:
        database = mongo.get_database(settings.database, codec_options=CODEC)
        while not end.stop.is_set():
            if _mongodb_answers(mongo):
                heartbeat.beat(database)
                _refresh(database, refresh)
            end.stop.wait(WATCH_SECONDS)
        if end.failure is not None or MONGODB.outage() is None:
            heartbeat.end(database, end.failure)


def _mongodb_answers(mongo: MongoClient[Document]) -> bool:
    """Ask the primary, without which nothing can be written."""
    try:
        mongo.admin.command("ping")
    except PyMongoError as error:
        MONGODB.failed(type(error).__name__)
        return False
    MONGODB.answered()
    members = mongo.topology_description.server_descriptions().values()
    metrics.UNREACHABLE_MEMBERS.set(sum(not it.is_server_type_known for it in members))
    return True


def _refresh(database: Database[Document], refresh: tuple[Refresh, ...]) -> None:
    for it in refresh:
        try:
            it(database)
        except Exception as error:  # noqa: BLE001  a gauge that stays is no reason to stop
            log().warning(GAUGES_NOT_REFRESHED, **error_fields(error))
