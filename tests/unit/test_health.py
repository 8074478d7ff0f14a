"""Probes and metrics: answered however many clients hold a connection and say nothing."""

from __future__ import annotations

import socket
import threading

import httpx
import pytest

from order_runtime.process import health
from order_runtime.process.health import MAX_CONNECTIONS, Probes, serving


def free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        port: int = it.getsockname()[1]
        return port


def status(port: int, path: str) -> int:
    return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=10).status_code


@pytest.fixture
def port() -> int:
    return free_port()


def test_probes_and_metrics_are_answered(port: int) -> None:
    probes = Probes(ready=lambda: False, live=lambda: True)
    with serving("127.0.0.1", port, probes):
        paths = ("/livez", "/readyz", "/metrics", "/other")
        assert [status(port, path) for path in paths] == [200, 503, 200, 404]


def test_silent_clients_make_room_and_take_no_more_threads(port: int) -> None:
    before = threading.active_count()
    with serving("127.0.0.1", port, Probes()):
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(4 * MAX_CONNECTIONS)]
        assert status(port, "/livez") == 200
        assert threading.active_count() - before <= MAX_CONNECTIONS + 1
        assert silent[0].recv(1) == b""
        for connection in silent:
            connection.close()


def test_a_client_that_says_nothing_is_hung_up_on(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "IDLE_SECONDS", 0.1)
    with (
        serving("127.0.0.1", port, Probes()),
        socket.create_connection(("127.0.0.1", port), timeout=5) as silent,
    ):
        assert silent.recv(1) == b""
