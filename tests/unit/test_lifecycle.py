"""Parts of a stack are started by name, or all that aren't running."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from order_stack.cli.main import app
from order_stack.cluster import state
from order_stack.cluster.parts import Part, Probe, Stack
from order_stack.problems import StackProblem
from order_stack.supervision import lifecycle, processes
from support.builders.stacks import sleeping_part, stack_of

SERVER = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port={}, bind='127.0.0.1')"


def serving(folder: Path, name: str, port: int) -> Part:
    """Return a part that answers every GET with 200."""
    probe = Probe("http", f"http://127.0.0.1:{port}/")
    return replace(sleeping_part(folder, name, SERVER.format(port)), live=probe, ready=probe)


@pytest.fixture
def stack(tmp_path: Path, unused_tcp_port_factory: Callable[[], int]) -> Iterator[Stack]:
    """A gateway, a mongod and an enricher, none of which runs, remembered as `default`."""
    port = unused_tcp_port_factory()
    mongod = replace(serving(tmp_path, "mongod", port), kind="mongod", address=f"127.0.0.1:{port}")
    gateway, enricher = (
        serving(tmp_path, name, unused_tcp_port_factory()) for name in ("gateway", "enricher")
    )
    stack = stack_of(tmp_path, gateway, mongod, enricher)
    (tmp_path / "default").mkdir()
    state.save(stack, tmp_path / "default")
    yield stack
    processes.stop(stack.parts, tmp_path / "default", "KILL")


@pytest.mark.parametrize("wait", [True, False])
def test_all_that_are_not_running_are_started_backends_first(
    stack: Stack, tmp_path: Path, wait: bool
) -> None:
    folder = tmp_path / "default"
    lifecycle.start(stack.parts[2], folder, wait=True)
    said: list[str] = []
    started = lifecycle.start_all(stack, folder, said.append, wait=wait)
    assert [it.name for it in started] == ["mongod", "gateway"]
    assert said == ["Starting mongod", "Starting gateway"]
    assert all(processes.find(it, folder) for it in stack.parts)
    assert lifecycle.start_all(stack, folder, said.append, wait=wait) == []


def test_a_mongod_that_need_not_be_ready_is_started_once_it_listens(
    stack: Stack, tmp_path: Path
) -> None:
    """It can't be ready alone, where the others of its replica set are dead."""
    unready = replace(stack.parts[1], live=Probe("mongo", "mongodb://127.0.0.1:1/"))
    lifecycle.start(unready, tmp_path / "default", wait=False)
    assert processes.find(unready, tmp_path / "default")


def test_a_backend_that_dies_at_its_start_is_told(stack: Stack, tmp_path: Path) -> None:
    dying = replace(stack.parts[1], argv=("/bin/false",))
    with pytest.raises(StackProblem, match="stopped while starting"):
        lifecycle.start(dying, tmp_path / "default", wait=False)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("start",), "pass --all"),
        (("start", "--all", "gateway"), "name no part"),
        (("start", "--all", "--set", "A=1"), "set nothing"),
    ],
)
def test_what_is_to_be_started_is_one_part_or_all(
    stack: Stack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.setenv("ORDERS_HOME", str(tmp_path))
    refused = CliRunner().invoke(app, args)
    assert refused.exit_code == 1
    assert said in " ".join(refused.stderr.split())
    assert not any(processes.find(it, tmp_path / "default") for it in stack.parts)
