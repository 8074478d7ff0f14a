"""
The cluster under test: kill, start and restore its processes.

The first instance of each service reaches Kafka and MongoDB through TCP proxies, so that its
network can fail.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from order_operations.connections.kafka_client import admin_client
from order_runtime.kafka.address import KafkaAddress
from support.faults.tcp_proxy import TcpProxy
from support.history.collector import RECORDED_TOPICS
from support.history.journal import Journal
from support.load.background_load import LoadProfile
from support.stack.running_stack import RunningStack
from support.stack.wait import until

SERVICES: Final = ("gateway", "order-writer", "enricher", "action-trigger")
KAFKA: Final = "Kafka"
MONGODB: Final = "MongoDB"
BROKERS: Final = ("broker-1", "broker-2", "broker-3")
MONGODS: Final = ("mongod-1", "mongod-2", "mongod-3")
SECONDS: Final = 240.0  # for what takes a few on an idle machine


@dataclass
class FaultCluster:
    stack: RunningStack
    profile: LoadProfile
    rng: Random
    disk: Path | None = None
    """The small file system of `broker-3`; None if mounting isn't permitted."""
    journal: Journal = field(default_factory=Journal)
    proxies: dict[tuple[str, str], TcpProxy] = field(default_factory=dict)
    unexpected_exits: list[str] = field(default_factory=list)
    """Processes that ended without being killed, each with the fault at that time."""

    def one_of(self, service: str) -> str:
        return f"{service}-{self.rng.choice((1, 2))}"

    def kill(self, *names: str, signal: str = "KILL") -> None:
        self._each(names, lambda name: self.stack.kill(name, signal))

    def start(self, *names: str) -> None:
        """Start them in parallel: several brokers only get ready together."""
        self._each(names, lambda name: self.stack.start(name, wait=True, **self._settings(name)))

    def wait_until_restored(self, broken: str) -> None:
        """Wait until all processes are ready; start, and record, those that ended unexpectedly."""
        if gone := [part["name"] for part in self.parts() if part["pid"] is None]:
            self.unexpected_exits += [f"{name}: {broken}" for name in gone]
            self.start(*gone)
        until(self._is_whole, seconds=SECONDS, of="all parts ready, all replicas in sync")

    def parts(self) -> list[dict[str, Any]]:
        seen = self.stack.status()
        return [*seen["services"], *seen["parts"]]

    def wait(self, seconds: float) -> None:
        """Sleep, while a fault lasts or between two."""
        threading.Event().wait(seconds)

    def _is_whole(self) -> bool:
        return all(part["ready"] for part in self.parts()) and all_replicas_in_sync(
            self.stack.kafka
        )

    def _settings(self, name: str) -> Mapping[str, str]:
        service, _, number = name.rpartition("-")
        if number != "1" or (service, KAFKA) not in self.proxies:
            return {}
        kafka, mongo = self.proxies[service, KAFKA], self.proxies[service, MONGODB]
        return {
            "ORDERMILL_KAFKA": kafka.rewritten(self.stack.kafka.servers),
            "ORDERMILL_MONGO": mongo.rewritten(self.stack.mongo),
        }

    def _each(self, names: tuple[str, ...], do: Any) -> None:
        with ThreadPoolExecutor(max(len(names), 1)) as pool:
            for done in [pool.submit(do, name) for name in names]:
                done.result()


@contextmanager
def through_proxies(cluster: FaultCluster) -> Iterator[FaultCluster]:
    """Restart the first instance of each service behind proxies; kill it before they close."""
    first = tuple(f"{service}-1" for service in SERVICES)
    with ExitStack() as proxies:
        addresses = {KAFKA: cluster.stack.kafka.servers, MONGODB: cluster.stack.mongo}
        for service in SERVICES:
            for backend, where in addresses.items():
                cluster.proxies[service, backend] = proxies.enter_context(TcpProxy(where))
        cluster.kill(*first, signal="TERM")
        cluster.start(*first)
        yield cluster
        alive = {part["name"] for part in cluster.parts() if part["pid"] is not None}
        cluster.kill(*alive.intersection(first))


def all_replicas_in_sync(kafka: KafkaAddress) -> bool:
    """Return whether all replicas of every partition are in sync."""
    seen = admin_client(kafka).list_topics(timeout=30)
    partitions = (it for topic in RECORDED_TOPICS for it in seen.topics[topic].partitions.values())
    return all(len(it.isrs) == len(it.replicas) for it in partitions)
