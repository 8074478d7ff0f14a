"""Probes and metrics: answered however many clients hold a connection and say nothing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from order_runtime.auth.bearer_token import BearerToken
from order_runtime.process import health
from order_runtime.process.health import MAX_CONNECTIONS, Probes, serving
from support.harness.free_ports import free_port


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


TOKEN = "hidden-token-größer"


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


@pytest.fixture
def asked(port: int, token_file: Path) -> Iterator[int]:
    """Health and metrics of a service with a token, on this port."""
    with serving("127.0.0.1", port, Probes(), BearerToken(TOKEN, token_file).admits):
        yield port


def metrics(port: int, authorization: bytes | None) -> httpx.Response:
    headers = [] if authorization is None else [(b"authorization", authorization)]
    return httpx.get(f"http://127.0.0.1:{port}/metrics", headers=headers, timeout=10)


def test_metrics_are_shown_to_who_has_the_token(asked: int) -> None:
    for scheme in (b"Bearer ", b"bearer ", b"BEARER  "):
        shown = metrics(asked, scheme + TOKEN.encode())
        assert (shown.status_code, "python_info" in shown.text) == (200, True)


def test_metrics_ask_others_for_the_token(asked: int) -> None:
    token = TOKEN.encode()
    wrong = (b"", b"Bearer", token, b"Basic " + token, b"Bearer " + token[:-1], b"Bearer x" + token)
    for authorization in (None, *wrong):
        refused = metrics(asked, authorization)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert refused.content == b""


def test_probes_never_ask(asked: int) -> None:
    """Who probes has no token; what it is told is no secret."""
    answers = [httpx.get(f"http://127.0.0.1:{asked}/{it}") for it in ("livez", "readyz")]

    told = [(it.status_code, it.json()["ok"]) for it in answers]
    assert told == [(200, True), (503, False)]


def test_a_new_token_counts_without_a_restart(asked: int, token_file: Path) -> None:
    token_file.write_text("another")

    assert metrics(asked, b"Bearer another").status_code == 200
    assert metrics(asked, b"Bearer " + TOKEN.encode()).status_code == 401


@pytest.mark.parametrize("content", ["", "\n", None])
def test_a_broken_token_file_changes_nothing_and_is_logged_once(
    asked: int, token_file: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Least of all does it open the metrics to everybody."""
    if content is None:
        token_file.unlink()
    else:
        token_file.write_text(content)

    assert [metrics(asked, it).status_code for it in (None, b"Bearer")] == [401, 401]
    assert metrics(asked, b"Bearer " + TOKEN.encode()).status_code == 200
    logged = capsys.readouterr().out
    assert logged.count("metrics token not read") == 1
    assert "hidden" not in logged
