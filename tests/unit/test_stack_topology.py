"""How many of what: names, ports and replicas follow from the numbers, which must make sense."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from order_stack.cluster import kafka_brokers, mongo_servers, services, stack_identity, topology
from order_stack.cluster.mongo_probe import serves
from order_stack.cluster.parts import Part, Probe
from order_stack.cluster.services import Backends
from order_stack.cluster.topology import ONE_OF_EACH, Topology
from order_stack.problems import StackProblem
from order_stack.supervision import lifecycle

CLUSTER = Topology(brokers=3, mongo_members=3, gateways=2, writers=2, enrichers=2, triggers=2)


def test_the_only_one_of_a_kind_has_a_plain_name_and_several_are_numbered() -> None:
    assert topology.numbered("broker", 1) == ("broker",)
    assert topology.numbered("broker", 3) == ("broker-1", "broker-2", "broker-3")


def test_every_process_has_a_port_of_its_own() -> None:
    assert len(ONE_OF_EACH.ports) == 9
    assert len(set(CLUSTER.ports)) == 3 + 3 + 3 + 1 + 2 + 8


@pytest.mark.parametrize(
    ("numbers", "option"),
    [
        (Topology(brokers=2), "--brokers"),
        (Topology(brokers=0), "--brokers"),
        (Topology(mongo_members=4), "--mongo-members"),
        (Topology(mongo_members=9), "--mongo-members"),
        (Topology(writers=-1), "--writers"),
        (Topology(enrichers=13), "--enrichers"),
        (Topology(triggers=0), "--triggers"),
        (Topology(gateways=0), "--gateways"),
        (Topology(partitions=0), "--partitions"),
        (Topology(partitions=201), "--partitions"),
        (Topology(partitions=2, enrichers=3), "--enrichers must be 1 to 2"),
    ],
)
def test_a_number_that_makes_no_sense_is_a_sentence(numbers: Topology, option: str) -> None:
    with pytest.raises(StackProblem, match=option):
        topology.check(numbers)


def test_a_cluster_makes_sense() -> None:
    topology.check(CLUSTER)
    topology.check(replace(CLUSTER, partitions=200, triggers=200))


def test_the_services_that_read_are_told_the_number_of_partitions(tmp_path: Path) -> None:
    identity = stack_identity.fresh(tmp_path, replace(CLUSTER, partitions=24))
    parts = services.services(identity, Backends("k:1", "mongodb://m"), tmp_path, tmp_path)
    told = {it.name: it.env.get("ORDERMILL_PARTITIONS") for it in parts}
    assert {name for name, number in told.items() if number != "24"} == {"gateway-1", "gateway-2"}


def test_data_belongs_to_the_numbers_it_was_made_with(tmp_path: Path) -> None:
    stack_identity.fresh(tmp_path, CLUSTER)
    assert stack_identity.remembered(tmp_path, CLUSTER, free=lambda _: True) is not None
    with pytest.raises(StackProblem, match="--brokers 3 --mongo-members 3 --gateways 2"):
        stack_identity.remembered(tmp_path, ONE_OF_EACH, free=lambda _: True)


def test_everybody_knows_every_broker_and_every_member(tmp_path: Path) -> None:
    own = stack_identity.fresh(tmp_path, CLUSTER)
    brokers = kafka_brokers.brokers(CLUSTER, own.ports, tmp_path)
    members = mongo_servers.members(CLUSTER, own.ports, tmp_path)
    backends = Backends(kafka_brokers.bootstrap(brokers), mongo_servers.uri(members))
    assert [it.folder.name for it in brokers] == ["kafka-1", "kafka-2", "kafka-3"]
    assert [it.node for it in brokers] == [1, 2, 3]
    assert all(it.address in backends.kafka for it in brokers)
    assert all(it.address in backends.mongo for it in members)


def test_gateways_differ_in_port_and_name_and_share_the_rest(tmp_path: Path) -> None:
    """Links must be the same whichever gateway made them, and job ids known to each."""
    own = stack_identity.fresh(tmp_path, CLUSTER)
    parts = services.services(own, Backends("k", "m"), tmp_path, tmp_path)
    one, two = (dict(part.env) for part in parts[:2])
    differ = {name for name, value in one.items() if two[name] != value}
    assert differ == {"ORDERMILL_INSTANCE", "ORDERMILL_PORT", "ORDERMILL_HEALTH_PORT"}
    assert one["ORDERMILL_PUBLIC_URL"] == services.gateway_urls(own)[0]


def test_a_setting_is_changed_for_one_start() -> None:
    probe = Probe("http", "http://127.0.0.1:1/")
    part = Part("enricher", "service", (), {"A": "1", "B": "2"}, "log", probe, probe)
    changed = lifecycle.with_settings(part, ["B=mongodb://x/?replicaSet=rs0"])
    assert changed.env == {"A": "1", "B": "mongodb://x/?replicaSet=rs0"}
    with pytest.raises(StackProblem, match="NAME=VALUE"):
        lifecycle.with_settings(part, ["B"])


@pytest.mark.parametrize(
    ("hello", "ready"),
    [
        ({"isWritablePrimary": True, "me": "a", "primary": "a"}, True),
        ({"secondary": True, "me": "b", "primary": "a"}, True),
        ({"secondary": True, "me": "b"}, False),
        ({"secondary": True, "me": "a", "primary": "a"}, False),
        ({"isWritablePrimary": False, "secondary": False}, False),
    ],
)
def test_a_member_serves_when_it_takes_writes_or_follows_one(
    hello: dict[str, object], ready: bool
) -> None:
    assert serves(hello) is ready
