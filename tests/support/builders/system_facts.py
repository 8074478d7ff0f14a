"""Facts of a healthy system of two of each, from which a test names the deviation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from order_contracts.topics import ENRICHER, GATEWAY, TOPICS, TRIGGER, WRITER
from order_operations.deliveries.endpoint_view import Endpoint
from order_operations.diagnosis.facts import (
    Backend,
    Cluster,
    Disk,
    Facts,
    Instance,
    Member,
    Partition,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SERVICES = (GATEWAY, WRITER, ENRICHER, TRIGGER)
BROKERS = {1: "kafka-1:9092", 2: "kafka-2:9092", 3: "kafka-3:9092"}


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def instance(service: str, number: int = 1, **changed: Any) -> Instance:
    whole = Instance(
        service=service,
        name=f"{service}-{number}",
        version="1.2.0",
        host="machine-1",
        health=f"127.0.0.1:{8_000 + number}",
        pid=1_000 + number,
        started_at=ago(3_600),
        heartbeat_at=ago(2),
        clock=ago(2),
    )
    return replace(whole, **changed)


def endpoint(**changed: Any) -> Endpoint:
    whole = Endpoint(
        endpoint="default",
        state="enabled",
        since=None,
        by=None,
        circuit="closed",
        circuit_since=None,
        circuit_workers=(),
        next_probe_at=None,
        last_answer_at=ago(3),
        last_status=204,
        last_reason=None,
        waiting=0,
        oldest_waiting=None,
        oldest_waiting_at=None,
        actions=("ConfirmOrder", "Custom"),
        host="trigger.example.com",
    )
    return replace(whole, **changed)


def partition(topic: str, number: int, leader: int | None, *in_sync: int) -> Partition:
    return Partition(topic, number, leader, tuple(BROKERS), in_sync or tuple(BROKERS))


def cluster(alive: tuple[int, ...] = tuple(BROKERS), *, led: bool = True) -> Cluster:
    """Return a cluster of three brokers of which these are alive; the first leads everything."""
    return Cluster(
        {it: BROKERS[it] for it in alive},
        [partition(it.name, 0, alive[0] if led else None, *alive) for it in TOPICS],
    )


def healthy(**changed: Any) -> Facts:
    whole = Facts(
        at=NOW,
        since=ago(300),
        kafka=Backend(address="kafka-1:9092"),
        mongodb=Backend(address="mongo-1:27017"),
        cluster=cluster(),
        members=[Member(f"mongo-{number}:27017", answers=True) for number in (1, 2, 3)],
        disks=[Disk("broker 1 (/data)", 40, 100)],
        instances=[instance(service, number) for service in SERVICES for number in (1, 2)],
        endpoints=[endpoint()],
        release="1.2.0",
    )
    return replace(whole, **changed)


def with_instances(change: Callable[[Instance], Instance]) -> Facts:
    """Return healthy facts with each process as *change* makes it."""
    whole = healthy()
    return replace(whole, instances=[change(it) for it in whole.instances])
