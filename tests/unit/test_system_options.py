"""Which system a command works on: the one that is given whole, or else a stack."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from order_operations.connections.system_address import MongoAddress, SystemAddress
from order_runtime.kafka.address import KafkaAddress
from order_stack.cli.main import app
from order_stack.cli.system_options import SystemOptions, options_of
from order_stack.cluster import state
from order_stack.cluster.parts import Stack
from order_stack.problems import StackProblem

SECRET = "mongodb://ops:pa55@db/"
ENVIRON = {"ORDERS_KAFKA": "k:1", "ORDERS_MONGO": SECRET, "ORDERS_DATABASE": "shop"}


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack that is remembered under the name `mine`."""
    monkeypatch.setenv("ORDERS_HOME", str(tmp_path))
    folder = state.folder_of("mine")
    folder.mkdir()
    stack = Stack(
        name="mine",
        gateways=("http://127.0.0.1:20000",),
        apikey="a key",
        kafka="127.0.0.1:20001",
        mongo="mongodb://127.0.0.1:20002/",
        database="ordermill",
        receiver="http://127.0.0.1:20003",
        data=str(tmp_path),
        keep_data=False,
        keys_file=str(tmp_path / "keys.json"),
        parts=(),
    )
    state.save(stack, folder)
    return stack


def test_a_stack_is_the_system_where_nothing_else_is_given(stack: Stack) -> None:
    options = options_of("mine", None, None, None, None, {})
    assert options.address() == SystemAddress(
        KafkaAddress(stack.kafka), MongoAddress(stack.mongo, "ordermill")
    )


def test_a_system_that_is_elsewhere_is_given_by_the_environment() -> None:
    options = options_of(None, None, None, None, None, ENVIRON)
    assert options.address() == SystemAddress(KafkaAddress("k:1"), MongoAddress(SECRET, "shop"))


def test_an_option_counts_more_than_the_environment() -> None:
    options = options_of(None, "k:2", "mongodb://other/", None, None, ENVIRON)
    assert options.address() == SystemAddress(
        KafkaAddress("k:2"), MongoAddress("mongodb://other/", "shop")
    )


def test_a_stack_that_is_named_counts_more_than_the_environment(stack: Stack) -> None:
    assert options_of("mine", None, None, None, None, ENVIRON).kafka_address() == KafkaAddress(
        stack.kafka
    )


def test_half_of_a_system_is_not_completed_by_a_stack(stack: Stack) -> None:
    """Else an erasure would publish to one system and search the database of another."""
    with pytest.raises(StackProblem, match="--mongo"):
        SystemOptions(stack.name, kafka="k:1").address()
    with pytest.raises(StackProblem, match="--kafka"):
        SystemOptions(stack.name, mongo=SECRET).address()


def test_no_value_shows_the_uri_of_the_database() -> None:
    options = options_of(None, None, None, None, None, ENVIRON)
    assert "pa55" not in repr(options) + repr(options.address())


def test_a_uri_that_can_not_be_used_is_a_sentence_without_it() -> None:
    for args in (("deliveries", "endpoints"), ("reference", "count")):
        done = CliRunner().invoke(app, [*args, "--mongo", "mongodb://ops:pa55@db:port/"])
        assert (done.exit_code, "can't be used" in done.stderr) == (1, True), done.stderr
        assert "pa55" not in done.output
