"""Faults of processes: services, brokers and mongods get SIGKILL, SIGTERM or SIGSTOP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from support.builders.bodies import Json
from support.builders.raw_records import COMMANDS_TOPIC
from support.faults.cluster import BROKERS, MONGODS, SERVICES, FaultCluster
from support.faults.fault import Fault
from support.faults.publisher_faults import publish_backlog

SESSION_TIMEOUT = 10.0  # session.timeout.ms of the consumers, in seconds
MINUTE = 60.0


@contextmanager
def stopped(cluster: FaultCluster, *names: str, signal: str = "KILL") -> Iterator[None]:
    cluster.kill(*names, signal=signal)
    yield
    cluster.start(*names)


@contextmanager
def stopped_one(cluster: FaultCluster, service: str, signal: str) -> Iterator[None]:
    publish_backlog(cluster)
    with stopped(cluster, cluster.one_of(service), signal=signal):
        yield


@contextmanager
def paused_one(cluster: FaultCluster, service: str) -> Iterator[None]:
    """Suspend a process; when it resumes after its session, others have its partitions."""
    name = cluster.one_of(service)
    publish_backlog(cluster)
    cluster.kill(name, signal="STOP")
    yield
    cluster.kill(name, signal="CONT")


@contextmanager
def stopped_writers(cluster: FaultCluster) -> Iterator[None]:
    publish_backlog(cluster)
    with stopped(cluster, "order-writer-1", "order-writer-2"):
        yield


@contextmanager
def stopped_leader(cluster: FaultCluster) -> Iterator[None]:
    with stopped(cluster, cluster.stack.leader_of(COMMANDS_TOPIC, cluster.rng.randrange(12))):
        yield


@contextmanager
def restarted_broker(cluster: FaultCluster) -> Iterator[None]:
    with stopped(cluster, cluster.rng.choice(BROKERS), signal="TERM"):
        yield


@contextmanager
def stopped_brokers(cluster: FaultCluster) -> Iterator[None]:
    with stopped(cluster, *BROKERS):
        yield


@contextmanager
def primary_step_down(cluster: FaultCluster) -> Iterator[None]:
    """Make the primary step down for ten seconds."""
    # Stepping down may close this connection too.
    with MongoClient[Json](cluster.stack.mongo) as client, suppress(AutoReconnect):
        client.admin.command("replSetStepDown", 10, secondaryCatchUpPeriodSecs=5)
    yield


@contextmanager
def stopped_primary(cluster: FaultCluster) -> Iterator[None]:
    with stopped(cluster, cluster.stack.primary()):
        yield


@contextmanager
def stopped_mongods(cluster: FaultCluster) -> Iterator[None]:
    with stopped(cluster, *MONGODS):
        yield


def _faults_of(service: str) -> Iterator[Fault]:
    for how, signal in (("kill -9", "KILL"), ("SIGTERM", "TERM")):
        killed = partial(stopped_one, service=service, signal=signal)
        yield Fault(f"{service}: {how}", killed, recovers_during=True)
    stopped = partial(paused_one, service=service)
    yield Fault(f"{service}: SIGSTOP, SIGCONT", stopped, seconds=SESSION_TIMEOUT + 5)


SERVICE_FAULTS = (
    *(fault for service in SERVICES for fault in _faults_of(service)),
    Fault("both writers: kill -9", stopped_writers),
)
BROKER_FAULTS = (
    Fault("broker, a leader: kill -9", stopped_leader, recovers_during=True),
    Fault("broker: restart", restarted_broker),
    Fault("all brokers: kill -9", stopped_brokers),
)
MONGOD_FAULTS = (
    Fault("mongod, the primary: step down", primary_step_down, recovers_during=True),
    Fault("mongod, the primary: kill -9", stopped_primary, recovers_during=True),
    Fault("all mongods: kill -9, for a minute", stopped_mongods, seconds=MINUTE),
)
