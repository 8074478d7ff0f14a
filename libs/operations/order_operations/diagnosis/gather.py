"""Gathers the facts of a system, all questions at once and within a few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from pymongo.database import Database

from order_operations.access.plan import principals_by_workload
from order_operations.connections.system_address import MongoAddress, SystemAddress
from order_operations.consumers.pauses import pauses
from order_operations.consumers.progress import GROUPS
from order_operations.deliveries.endpoint_view import Endpoint
from order_operations.deliveries.store import Deliveries
from order_operations.diagnosis import (
    gather_kafka,
    gather_mongodb,
    gather_rights,
    reach_mongodb,
)
from order_operations.diagnosis.earlier_shapes import EarlierShapes
from order_operations.diagnosis.facts import (
    Access,
    Backend,
    Cluster,
    Facts,
    Instance,
    Key,
    Lag,
    Login,
    NewJobs,
)
from order_operations.diagnosis.health_probe import health_of
from order_operations.diagnosis.kafka_disks import kafka_disks
from order_operations.diagnosis.process_checks import SILENT
from order_operations.diagnosis.questions import Questions
from order_operations.diagnosis.reach_mongodb import Server
from order_runtime.kafka.address import KafkaAddress
from order_runtime.mongo.client import Document
from order_runtime.process.release import release

ACCESS_SECONDS: Final = 5.0  # to learn whether Kafka and MongoDB answer
DETAIL_SECONDS: Final = 4.5  # for everything else
LOOKS_BACK: Final = timedelta(minutes=5)
SECRET_AGE: Final = timedelta(days=365)

Answers = dict[str, Callable[[], Any]]
"""What is still waited for, by the field of Facts that it is."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at beside Kafka and MongoDB."""

    looks_back: timedelta = LOOKS_BACK
    keys: Sequence[Key] = ()
    """The API keys that are valid, where their file is known."""
    logins: Sequence[Login] = ()
    """Those of this machine that are used."""
    secret_age: timedelta = SECRET_AGE
    """Beyond which a secret is to be changed."""
    principals: Mapping[str, Sequence[str]] = field(default_factory=principals_by_workload)
    """Those of Kafka, by workload."""
    known: Collection[str] = ()
    """Other principals that may do something with what is this system's."""
    earlier_shapes: EarlierShapes = field(default_factory=EarlierShapes)
    """What is remembered between two looks; so a scope is of one system."""


def gather(system: SystemAddress, scope: Scope | None = None) -> Facts:
    """
    Return what is seen of a system, within some ten seconds also where nothing answers.

    Raises OperationFailed for an address that can't be used.
    """
    scope = scope or Scope()
    with reach_mongodb.connected(system.mongo) as database:
        server, (kafka, cluster) = _reach(system.kafka, database)
        now = server.at or datetime.now(UTC)
        facts = Facts(
            at=now,
            since=now - scope.looks_back,
            kafka=kafka,
            mongodb=server.backend,
            cluster=cluster,
            members=server.members,
            server_faults=server.faults,
            keys=scope.keys,
            logins=scope.logins,
            secret_age=scope.secret_age,
            release=release(),
            clock_skew=server.skew,
        )
        questions = Questions(time.monotonic() + DETAIL_SECONDS)
        answers = {
            **(_ask_kafka(questions, system.kafka, facts, scope) if _answers(kafka) else {}),
            **(_ask_mongodb(questions, system.mongo, database, facts, scope) if server.at else {}),
        }
        return _complete(facts, answers, questions)


def _reach(
    kafka: KafkaAddress, database: Database[Document]
) -> tuple[Server, tuple[Backend, Cluster]]:
    """Ask both whether they answer; who doesn't say anything is away."""
    questions = Questions(time.monotonic() + ACCESS_SECONDS)
    away = Backend(Access.AWAY)
    server = questions.ask("MongoDB", lambda: reach_mongodb.reach(database), Server(away))
    cluster = questions.ask(
        "Kafka",
        lambda: gather_kafka.reach(kafka),
        (replace(away, address=kafka.servers), Cluster()),
    )
    return server(), cluster()


def _answers(backend: Backend) -> bool:
    return backend.access is Access.ANSWERS


def _ask_kafka(questions: Questions, kafka: KafkaAddress, facts: Facts, scope: Scope) -> Answers:
    rights = partial(gather_rights.kafka_rights, kafka, scope.principals, scope.known)
    steps = partial(gather_kafka.topic_steps, kafka, facts.cluster)
    none: list[Lag] = []
    lags = [
        questions.ask(f"the lag of the {it}", partial(gather_kafka.lags, kafka, it), none)
        for it in sorted(GROUPS)
    ]
    return {
        "topic_steps": questions.ask("the topics' settings", steps, []),
        "kafka_rights": questions.ask("the rights in Kafka", rights, []),
        "kafka_disks": questions.ask("Kafka's disks", partial(kafka_disks, kafka), []),
        "lags": lambda: [lag for answer in lags for lag in answer()],
    }


def _ask_mongodb(
    questions: Questions,
    address: MongoAddress,
    database: Database[Document],
    facts: Facts,
    scope: Scope,
) -> Answers:
    def of(query: Callable[..., Any], *args: Any) -> Callable[[], Any]:
        return partial(query, database, *args)

    found, ask = gather_mongodb, questions.ask
    return {
        "instances": ask("instances", of(_instances, facts.at), []),
        "index_steps": ask("indexes", of(found.index_steps), []),
        "document_steps": ask("documents of an earlier shape", of(scope.earlier_shapes.steps), []),
        "mongodb_rights": ask(
            "the rights in MongoDB", partial(gather_rights.mongo_rights, address), []
        ),
        "mongodb_disks": ask("MongoDB's disk", of(found.mongodb_disks), []),
        "log_counts": ask("the integration log", of(found.log_counts, facts.since), []),
        "new_jobs": ask("new jobs", of(found.new_jobs, facts.since), NewJobs()),
        "dead_letters": ask("dead letters", of(found.dead_letters, facts.since), []),
        "pauses": ask("paused consumers", partial(pauses, address, DETAIL_SECONDS), []),
        "healing_since": ask("the healing queue", of(found.healing_since), None),
        "endpoints": ask("the endpoints", partial(_endpoints, address), []),
    }


def _complete(facts: Facts, answers: Answers, questions: Questions) -> Facts:
    found = {name: answer() for name, answer in answers.items()}
    disks = _joined(found, "kafka_disks", "mongodb_disks")
    schema_steps = _joined(found, "index_steps", "document_steps")
    rights = _joined(found, "kafka_rights", "mongodb_rights")
    return replace(
        facts,
        **found,
        disks=disks,
        schema_steps=schema_steps,
        rights=rights,
        unanswered=questions.unanswered,
    )


def _joined(found: dict[str, Any], *names: str) -> list[Any]:
    """Take these lists out of *found*, and return them as one."""
    return [it for name in names for it in found.pop(name, [])]


def _instances(database: Database[Document], now: datetime) -> list[Instance]:
    """Return the processes; those that should live and are silent are asked for their health."""
    return [
        replace(it, answers=health_of(it))
        if it.stopped_at is None and now - it.heartbeat_at > SILENT
        else it
        for it in gather_mongodb.instances(database)
    ]


def _endpoints(address: MongoAddress) -> list[Endpoint]:
    with Deliveries(address) as deliveries:
        return deliveries.endpoints()
