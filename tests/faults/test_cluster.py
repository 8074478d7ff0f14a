"""A cluster on one machine: posts continue when a leader, coordinator or primary is killed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from order_operations.connections.kafka_client import admin_client
from support.builders.bodies import order_body
from support.builders.raw_records import COMMANDS_TOPIC
from support.faults.tcp_proxy import TcpProxy
from support.load.order_stream import OrderStream
from support.stack.api_client import ApiClient
from support.stack.running_stack import (
    CLUSTER_OPTIONS,
    OrdersCommand,
    RunningStack,
    processes_under,
    running_stack,
)
from support.stack.wait import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

SECONDS = 120.0  # for what takes about ten on an idle machine
SOME = 50  # posts


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    home = tmp_path_factory.mktemp("orders-home")
    with running_stack(home, *CLUSTER_OPTIONS, seconds=300) as started:
        yield started
    assert not processes_under(home)


def test_everything_has_a_name_and_is_ready(cluster: RunningStack) -> None:
    seen = cluster.status()
    names = [part["name"] for part in (*seen["services"], *seen["parts"])]
    assert {"gateway-2", "order-writer-2", "broker-3", "mongod-3", "receiver"} < set(names)
    assert len(seen["gateways"]) == 2
    assert all(part["ready"] for part in (*seen["services"], *seen["parts"]))


@pytest.mark.parametrize("group", ["order-writer", "enricher", "action-trigger"])
def test_posts_go_on_when_a_groups_coordinator_is_killed(cluster: RunningStack, group: str) -> None:
    """It leads partitions too; its group must find the new coordinator and continue."""
    broker = cluster.coordinator_of(group)
    with OrderStream(cluster) as stream:
        until(lambda: len(stream.accepted) > SOME, seconds=SECONDS)
        killed = time.monotonic()
        cluster.kill(broker)
        try:
            _show_recovery(cluster, stream, f"{broker}, coordinator of {group}, killed", killed)
        finally:  # with two of three brokers down nothing could be acknowledged
            cluster.start(broker)
    assert all(service["pid"] for service in cluster.status()["services"])
    until(lambda: _in_sync(cluster), seconds=SECONDS, of="three replicas of each partition")
    _assert_all_stored(cluster, stream)


def _in_sync(cluster: RunningStack) -> bool:
    seen = admin_client(cluster.kafka).list_topics(timeout=30)
    partitions = seen.topics[COMMANDS_TOPIC].partitions.values()
    return all(len(partition.isrs) == 3 for partition in partitions)


def test_posts_go_on_when_the_primary_is_killed(cluster: RunningStack) -> None:
    primary = cluster.primary()
    with OrderStream(cluster) as stream:
        until(lambda: len(stream.accepted) > SOME, seconds=SECONDS)
        killed = time.monotonic()
        cluster.kill(primary)
        until(lambda: cluster.primary() != primary, seconds=SECONDS)
        _show_recovery(cluster, stream, f"{primary}, the primary, killed", killed)
    cluster.start(primary)
    _assert_all_stored(cluster, stream)


def test_a_writer_outlives_a_network_that_fails_in_each_way(cluster: RunningStack) -> None:
    """The only writer reaches Kafka and MongoDB through a proxy: it is late, and loses nothing."""
    cluster.kill("order-writer-2")
    cluster.kill("order-writer-1")
    with TcpProxy(cluster.kafka.servers) as kafka, TcpProxy(cluster.mongo) as mongo:
        cluster.start(
            "order-writer-1",
            ORDERMILL_KAFKA=kafka.rewritten(cluster.kafka.servers),
            ORDERMILL_MONGO=mongo.rewritten(cluster.mongo),
        )
        with OrderStream(cluster) as stream:
            for proxy, name in ((kafka, "Kafka"), (mongo, "MongoDB")):
                broken = time.monotonic()
                proxy.reset_connections()
                _show_recovery(cluster, stream, f"{name}: reset", broken)
                proxy.block()
                _await_posts(stream)
                assert (
                    ApiClient(cluster).job(stream.accepted[-1].job_id).json()["status"]
                    == "Accepted"
                )
                broken = time.monotonic()
                proxy.unblock()
                _show_recovery(cluster, stream, f"{name}: black hole, since its end", broken)
        _assert_all_stored(cluster, stream)
        cluster.kill("order-writer-1")
    cluster.start("order-writer-1")
    cluster.start("order-writer-2")


def _show_recovery(cluster: RunningStack, stream: OrderStream, what: str, since: float) -> None:
    """Wait for some posts, and until the last of them is stored; print how long that took."""
    _await_posts(stream)
    ApiClient(cluster).stored(stream.accepted[-1].job_id, seconds=SECONDS)
    longest = max(it.seconds for it in stream.since(since))
    print(
        f"{what}: slowest post {longest:.1f} s, stored again after {time.monotonic() - since:.1f}"
    )


def _await_posts(stream: OrderStream) -> None:
    now = time.monotonic()
    until(lambda: len(stream.since(now)) >= SOME, seconds=SECONDS, of="posts")


def _assert_all_stored(cluster: RunningStack, stream: OrderStream) -> None:
    api = ApiClient(cluster)
    for it in stream.accepted:
        job = api.stored(it.job_id, seconds=SECONDS)
        assert job["status"] != "Failed", job
    assert len({it.order_id for it in stream.accepted}) == len(stream.accepted)


def test_a_clusters_data_outlives_it_and_belongs_to_its_numbers(tmp_path: Path) -> None:
    home, data = tmp_path / "orders-home", str(tmp_path / "data")
    with running_stack(home, *CLUSTER_OPTIONS, "--data", data, seconds=300) as first:
        job_id = ApiClient(first).registered(order_body())
        assert ApiClient(first).stored(job_id, seconds=SECONDS)
    other = OrdersCommand("other", home).run("up", "--detach", "--data", data, check=False)
    assert other.returncode == 1
    assert "--brokers 3 --mongo-members 3" in other.stderr
    with running_stack(home, *CLUSTER_OPTIONS, "--data", data, seconds=300) as second:
        assert ApiClient(second).stored(job_id)
    assert not processes_under(home)
