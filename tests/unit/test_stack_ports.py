"""Ports are free when chosen, differ from one another, and are never moved silently."""

from __future__ import annotations

import random
import socket

import pytest

from order_stack.cluster import ports
from order_stack.problems import PortTaken, StackProblem


def test_every_name_gets_a_port_of_its_own() -> None:
    chosen = ports.choose(["a", "b", "c"], random.Random(1), free=lambda _: True)
    assert set(chosen) == {"a", "b", "c"}
    assert len(set(chosen.values())) == 3
    assert all(port in ports.RANGE for port in chosen.values())


def test_a_port_that_is_in_use_is_passed_over() -> None:
    taken = ports.choose(["a"], random.Random(7), free=lambda _: True)["a"]
    assert ports.choose(["a"], random.Random(7), free=lambda port: port != taken)["a"] != taken


def test_no_free_port_at_all_is_a_sentence() -> None:
    with pytest.raises(StackProblem, match="No free ports"):
        ports.choose(["a"], random.Random(1), free=lambda _: False)


def test_a_port_somebody_listens_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert not ports.is_free(port)
        with pytest.raises(PortTaken, match=f"Port {port} .* is in use"):
            ports.check([port])
