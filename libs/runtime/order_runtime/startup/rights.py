"""Whether Kafka and MongoDB give a service the rights that it needs, asked at its start."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from order_runtime.access import kafka_rights, mongo_rights
from order_runtime.access.granted import Operations, kafka_lacks, mongo_lacks
from order_runtime.access.rights import GROUP, TOPIC, Right
from order_runtime.documents.instances import RIGHTS_MISSING
from order_runtime.kafka.address import KafkaAddress, librdkafka_config
from order_runtime.mongo.client import Document, client
from order_runtime.observability.conditions import CONDITIONS
from order_runtime.process import log_events
from order_runtime.process.logs import log
from order_runtime.process.refused_rights import DENIED

TIMEOUT: Final = 10.0  # seconds, for an answer of Kafka
DATABASE_TIMEOUT_MS: Final = 2_000  # short: it is asked again, and a stop waits for the answer
SAID_AGAIN_SECONDS: Final = 60.0
PAUSE: Final = 5.0  # seconds between two looks of a service that works meanwhile


class RightsMissing(Exception):
    """Kafka or MongoDB doesn't give the service a right that it needs; an operator may any time."""

    def __init__(self, system: str, rights: Iterable[Right]) -> None:
        self.system = system
        self.rights = [f"{it.operation} on {it.on}" for it in rights]
        super().__init__(f"{system} doesn't allow: {', '.join(self.rights)}.")


class MissingRightsLog:
    """Logs which rights are missing while a service waits for them: at once, then each minute."""

    def __init__(self) -> None:
        self._said: tuple[list[str], float] = ([], 0.0)

    def __call__(self, missing: RightsMissing) -> None:
        rights, now = missing.rights, time.monotonic()
        if rights == self._said[0] and now < self._said[1]:
            return
        self._said = rights, now + SAID_AGAIN_SECONDS
        log().error(log_events.RIGHTS_MISSING, system=missing.system, rights=rights)


def check_kafka_rights(kafka: KafkaAddress, service: str) -> None:
    """
    Raise RightsMissing where Kafka lacks some of *service*'s, KafkaException where it is away.

    A broker without an authorizer allows everything. Two requests.
    """
    wanted = kafka_rights.service_rights(service)
    topics = sorted({it.name for it in wanted if it.resource == TOPIC})
    groups = sorted({it.name for it in wanted if it.resource == GROUP})
    admin = AdminClient(librdkafka_config(kafka) | {"log_level": 0})
    asked = {"include_authorized_operations": True, "request_timeout": TIMEOUT}
    on_topics = admin.describe_topics(TopicCollection(topics), **asked)
    on_groups = admin.describe_consumer_groups(groups, **asked) if groups else {}
    allowed = {(TOPIC, name): _operations(it) for name, it in on_topics.items()}
    allowed |= {(GROUP, name): _operations(it) for name, it in on_groups.items()}
    _require("Kafka", kafka_lacks(wanted, allowed))


def check_mongo_rights(mongo: MongoClient[Document], database: str, service: str) -> None:
    """Raise RightsMissing where MongoDB lacks some of *service*'s, PyMongoError where it's away."""
    status = mongo.admin.command({"connectionStatus": 1, "showPrivileges": True})
    wanted = mongo_rights.service_rights(service)
    _require("MongoDB", mongo_lacks(wanted, status["authInfo"], database))


def _require(system: str, lacks: Sequence[Right]) -> None:
    """Raise RightsMissing for what is lacking, and report it for as long as it is."""
    if not lacks:
        CONDITIONS.ends(RIGHTS_MISSING, system)
        return
    missing = RightsMissing(system, lacks)
    CONDITIONS.begins(RIGHTS_MISSING, system, ", ".join(missing.rights))
    raise missing


def warn_until_granted(
    kafka: KafkaAddress, uri: str, database: str, service: str, stop: threading.Event
) -> None:
    """
    Log which rights a service that starts without Kafka and MongoDB lacks, until it has all.

    Returns at once where it has, and when *stop* is set; says nothing of what is away.
    """
    said = MissingRightsLog()
    with client(uri, service, DATABASE_TIMEOUT_MS) as mongo:
        checks: list[Callable[[], None]] = [
            lambda: check_mongo_rights(mongo, database, service),
            lambda: check_kafka_rights(kafka, service),
        ]
        while checks and not stop.is_set():
            checks = [it for it in checks if not _passes(it, said)]
            if checks:
                stop.wait(PAUSE)


def _passes(check: Callable[[], None], said: MissingRightsLog) -> bool:
    try:
        check()
    except RightsMissing as missing:
        said(missing)
    except (KafkaException, PyMongoError):
        return False
    else:
        return True
    return False


def _operations(answer: Future[Any]) -> Operations:
    try:
        found = answer.result().authorized_operations
    except KafkaException as error:
        if error.args[0].code() in DENIED:
            return ()
        raise
    return None if found is None else {it.name for it in found}
