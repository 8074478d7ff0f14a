"""Faults of processes: services, brokers and mongods that are killed, asked to stop, or sleep."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial

from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from support.builders.bodies import Json
from support.faults.cluster import BROKERS, MONGODS, SERVICES, FaultCluster
from support.faults.fault import Fault
from support.faults.records import backlog
from support.stack.topics import COMMANDS

SESSION = 10.0  # seconds after which a consumer that is silent is taken for dead
MINUTE = 60.0


@contextmanager
def without(scene: FaultCluster, *names: str, signal: str = "KILL") -> Iterator[None]:
    scene.kill(*names, signal=signal)
    yield
    scene.start(*names)


@contextmanager
def without_one(scene: FaultCluster, service: str, signal: str) -> Iterator[None]:
    backlog(scene)
    with without(scene, scene.one_of(service), signal=signal):
        yield


@contextmanager
def asleep(scene: FaultCluster, service: str) -> Iterator[None]:
    """It believes that nothing happened when it wakes, and others have its partitions."""
    name = scene.one_of(service)
    backlog(scene)
    scene.kill(name, signal="STOP")
    yield
    scene.kill(name, signal="CONT")


@contextmanager
def without_both_writers(scene: FaultCluster) -> Iterator[None]:
    backlog(scene)
    with without(scene, "order-writer-1", "order-writer-2"):
        yield


@contextmanager
def without_a_leader(scene: FaultCluster) -> Iterator[None]:
    with without(scene, scene.stack.leader_of(COMMANDS, scene.rng.randrange(12))):
        yield


@contextmanager
def restarted_broker(scene: FaultCluster) -> Iterator[None]:
    with without(scene, scene.rng.choice(BROKERS), signal="TERM"):
        yield


@contextmanager
def without_brokers(scene: FaultCluster) -> Iterator[None]:
    with without(scene, *BROKERS):
        yield


@contextmanager
def stepped_down(scene: FaultCluster) -> Iterator[None]:
    """The primary steps down, and isn't elected again meanwhile."""
    # It may close all connections, this one too.
    with MongoClient[Json](scene.stack.mongo) as client, suppress(AutoReconnect):
        client.admin.command("replSetStepDown", 10, secondaryCatchUpPeriodSecs=5)
    yield


@contextmanager
def without_the_primary(scene: FaultCluster) -> Iterator[None]:
    with without(scene, scene.stack.primary()):
        yield


@contextmanager
def without_mongods(scene: FaultCluster) -> Iterator[None]:
    with without(scene, *MONGODS):
        yield


def _of(service: str) -> Iterator[Fault]:
    for how, signal in (("kill -9", "KILL"), ("SIGTERM", "TERM")):
        killed = partial(without_one, service=service, signal=signal)
        yield Fault(f"{service}: {how}", killed, outlived=True)
    stopped = partial(asleep, service=service)
    yield Fault(f"{service}: SIGSTOP, SIGCONT", stopped, seconds=SESSION + 5)


OF_SERVICES = (
    *(fault for service in SERVICES for fault in _of(service)),
    Fault("both writers: kill -9", without_both_writers),
)
OF_BROKERS = (
    Fault("broker, a leader: kill -9", without_a_leader, outlived=True),
    Fault("broker: restart", restarted_broker),
    Fault("all brokers: kill -9", without_brokers),
)
OF_MONGODS = (
    Fault("mongod, the primary: step down", stepped_down, outlived=True),
    Fault("mongod, the primary: kill -9", without_the_primary, outlived=True),
    Fault("all mongods: kill -9, for a minute", without_mongods, seconds=MINUTE),
)
