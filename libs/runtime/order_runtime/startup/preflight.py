"""Preflight: whether Kafka and MongoDB are what a service requires, checked when it starts."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Final, TypeVar

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigEntry, ConfigResource
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure, PyMongoError

from order_contracts.topics import Topic
from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from order_runtime.kafka.offsets import commit_beginnings
from order_runtime.kafka.refusal_log import log_refusal
from order_runtime.mongo.client import Document, client
from order_runtime.mongo.collections import collections_of
from order_runtime.mongo.list_indexes import read_indexes
from order_runtime.observability.dependencies import KAFKA, MONGODB
from order_runtime.process.errors import RequirementNotMet
from order_runtime.process.log_events import (
    INDEXES_MISSING,
    SET_RISKILY,
)
from order_runtime.process.logs import log
from order_runtime.process.refused_rights import DENIED
from order_runtime.process.retry import transient
from order_runtime.process.settings import ConsumerSettings
from order_runtime.process.signals import StopRequested
from order_runtime.startup.observed_topics import observed_topic
from order_runtime.startup.requirements import (
    MongoServer,
    ObservedTopic,
    index_risks,
    index_violations,
    server_risks,
    server_violations,
    topic_risks,
    topic_violations,
    topics_used_by,
)
from order_runtime.startup.rights import (
    DATABASE_TIMEOUT_MS,
    TIMEOUT,
    MissingRightsLog,
    RightsMissing,
    check_kafka_rights,
    check_mongo_rights,
)

T = TypeVar("T")

PAUSE: Final = 1.0  # seconds between two attempts


def check_topics(kafka: KafkaAddress, service: str, partitions: int) -> Mapping[str, ObservedTopic]:
    """
    Return the topics that *service* reads or writes, by name, as the broker has them.

    Each must have that many *partitions*. Raises RequirementNotMet with a sentence for each setting
    that breaks the contract, OffsetsLost as `commit_beginnings` does, and KafkaException where
    Kafka or a topic isn't there. A broker that doesn't let the service see the settings is only
    warned of.
    """
    topics = topics_used_by(service, partitions)
    found = _described(kafka, topics)
    _refuse([it for topic in topics for it in topic_violations(topic, found[topic.name])])
    _warn((it, topic.name) for topic in topics for it in topic_risks(topic, found[topic.name]))
    commit_beginnings(kafka, service, [topic.name for topic in topics if service in topic.readers])
    return found


def check_database(mongo: MongoClient[Document]) -> None:
    """Raise RequirementNotMet where *mongo* lacks what we need, PyMongoError where it's away."""
    hello = mongo.admin.command("hello")
    server = MongoServer(hello, _transaction_seconds(mongo))
    _refuse(list(server_violations(server)))
    _warn((it, "MongoDB") for it in server_risks(server, datetime.now(UTC).replace(tzinfo=None)))


def check_indexes(database: Database[Document], service: str) -> None:
    """
    Raise RequirementNotMet where *database* lacks an index of a collection that *service* uses.

    One round trip a collection; raises PyMongoError where MongoDB is away. An index that is being
    built is not there yet.
    """
    needed = collections_of(service)
    found = {it.name: read_indexes(database, it.name) for it in needed}
    _refuse(list(index_violations(found, needed)))
    _warn((it, "MongoDB") for it in index_risks(found, needed))


def warn_of_indexes(mongo: str, database: str, service: str) -> None:
    """Log which indexes *service* lacks, for one that starts without; asks MongoDB once."""
    needed = collections_of(service)
    try:
        with client(mongo, service, DATABASE_TIMEOUT_MS) as connected:
            found = {it.name: read_indexes(connected[database], it.name) for it in needed}
    except PyMongoError as error:
        MONGODB.failed(type(error).__name__)
        return
    for sentence in index_violations(found, needed):
        log().warning(INDEXES_MISSING, doubt=sentence)


def preflight(
    settings: ConsumerSettings, service: str, stop: threading.Event
) -> Mapping[str, ObservedTopic]:
    """
    Wait until MongoDB and Kafka answer with all rights, and check what *service* requires of both.

    Returns the topics as `check_topics` does. Raises RequirementNotMet, OffsetsLost, and
    StopRequested where *stop* is set before they answer.
    """
    with client(settings.mongo_uri, service, DATABASE_TIMEOUT_MS) as connected:
        database = settings.database
        until_available(stop, lambda: check_database(connected))
        until_available(stop, lambda: check_mongo_rights(connected, database, service))
        until_available(stop, lambda: check_indexes(connected[database], service))
    until_available(stop, lambda: check_kafka_rights(settings.kafka_address, service))
    return until_available(
        stop, lambda: check_topics(settings.kafka_address, service, settings.partitions)
    )


def until_available(stop: threading.Event, attempt: Callable[[], T]) -> T:
    """Return the result of *attempt* once Kafka and MongoDB answer it; or raise StopRequested."""
    lacking = MissingRightsLog()
    while not stop.is_set():
        try:
            return attempt()
        except RightsMissing as missing:
            lacking(missing)
        except KafkaException as error:
            KAFKA.failed(error.args[0].name())
        except PyMongoError as error:
            if not transient(error):
                raise
            MONGODB.failed(type(error).__name__)
        stop.wait(PAUSE)
    raise StopRequested


def _described(kafka: KafkaAddress, topics: Iterable[Topic]) -> dict[str, ObservedTopic]:
    names = [topic.name for topic in topics]
    admin = AdminClient(librdkafka_config(kafka) | {"log_level": 0, "error_cb": log_refusal})
    found = admin.describe_topics(TopicCollection(names), request_timeout=TIMEOUT)
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    configs = admin.describe_configs(resources, request_timeout=TIMEOUT)
    answers = {resource.name: future for resource, future in configs.items()}
    try:
        return {
            name: observed_topic(found[name].result(), _settings(answers[name])) for name in names
        }
    except KafkaException:
        admin.poll(0)  # lets it say why
        raise


def _settings(answer: Future[dict[str, ConfigEntry]]) -> dict[str, str] | None:
    try:
        return {name: entry.value for name, entry in answer.result().items()}
    except KafkaException as error:
        if error.args[0].code() in DENIED:
            return None
        raise


def _transaction_seconds(mongo: MongoClient[Document]) -> int | None:
    try:
        found = mongo.admin.command({"getParameter": 1, "transactionLifetimeLimitSeconds": 1})
    except OperationFailure:  # not everybody may ask, and a router doesn't know
        return None
    return int(found["transactionLifetimeLimitSeconds"])


def _refuse(faults: Sequence[str]) -> None:
    if faults:
        raise RequirementNotMet(" ".join(faults))


def _warn(doubts: Iterable[tuple[str, str]]) -> None:
    """Log each risk once, with the names of all topics that it is about."""
    about = defaultdict[str, list[str]](list)
    for doubt, name in doubts:
        about[doubt].append(name)
    for doubt, names in about.items():
        log().warning(SET_RISKILY, doubt=doubt, names=names)
