"""A data directory keeps its ports and secrets; the jars of Kafka are the locked ones."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from order_runtime.auth.api_keys import KeyFile
from order_stack.cluster import jars, kafka_brokers, mongo_servers, ports, stack_identity, zipkin
from order_stack.cluster.topology import Topology
from order_stack.problems import PortTaken, StackProblem

ONE = Topology()


def test_a_data_directory_that_was_used_keeps_its_identity(tmp_path: Path) -> None:
    first = stack_identity.fresh(tmp_path, ONE)
    assert stack_identity.remembered(tmp_path, ONE) == first
    assert (tmp_path / "identity.json").stat().st_mode & 0o777 == 0o600


def test_a_new_data_directory_has_no_identity(tmp_path: Path) -> None:
    assert stack_identity.remembered(tmp_path, ONE) is None


def test_a_remembered_port_that_is_taken_is_told(tmp_path: Path) -> None:
    stack_identity.fresh(tmp_path, ONE)
    with pytest.raises(PortTaken):
        stack_identity.remembered(tmp_path, ONE, free=lambda _: False)


def test_the_stacks_own_key_has_every_scope_and_no_limit(tmp_path: Path) -> None:
    own = stack_identity.fresh(tmp_path, ONE)
    key = KeyFile(stack_identity.keys_file(tmp_path)).find(own.apikey)
    assert key is not None
    assert key.rate is None
    assert key.scopes == {"orders:read", "orders:write", "ops"}


def test_a_cluster_id_is_none_that_looks_like_an_option() -> None:
    ids = {kafka_brokers.new_cluster_id() for _ in range(500)}
    assert len(ids) == 500
    assert not any(it.startswith("-") or len(it) != 22 for it in ids)


def test_every_jar_is_locked_by_its_hash() -> None:
    lock = jars.locked(resources.files("order_stack.cluster").joinpath(jars.LOCK).read_text())
    assert "org.apache.kafka:kafka_2.13:4.3.1" in lock
    assert all(len(digest) == 64 for digest in lock.values())


def test_zipkins_jar_is_one_and_locked() -> None:
    [(coordinate, digest)] = jars.locked(
        resources.files("order_stack.cluster").joinpath(zipkin.LOCK).read_text()
    ).items()
    assert coordinate.endswith(":exec")
    assert len(digest) == 64


def test_what_observes_a_stack_takes_none_of_its_ports() -> None:
    taken = set(ports.RANGE[::2])
    urls = ports.free_urls(list(map(str, range(20))), taken).values()
    assert len(set(urls)) == 20
    assert {it.rpartition(":")[0] for it in urls} == {"http://127.0.0.1"}
    assert taken.isdisjoint(int(it.rpartition(":")[2]) for it in urls)


def test_the_users_mongod_comes_before_any_other(tmp_path: Path) -> None:
    (tmp_path / "mongod").touch(mode=0o755)
    environ = {"PATH": str(tmp_path)}
    assert mongo_servers.binary(environ) == tmp_path / "mongod"
    assert mongo_servers.binary({**environ, "ORDERS_MONGOD": "/mine"}) == Path("/mine")


def test_a_mongod_that_does_not_run_is_a_sentence() -> None:
    with pytest.raises(StackProblem, match="ORDERS_MONGOD"):
        mongo_servers.check(Path("/bin/false"))
