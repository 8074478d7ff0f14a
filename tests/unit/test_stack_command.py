"""The `orders` command says what is wrong in a sentence, whatever it is run on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from order_stack.cli.main import app, unusable_path
from order_stack.cluster import state
from order_stack.cluster.parts import Stack
from order_stack.supervision import processes
from support.builders.stacks import sleeping_part, stack_of


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORDERS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def said(*args: str) -> str:
    """Run a command that must fail; return what it says."""
    done = CliRunner().invoke(app, args)
    assert done.exit_code == 1, done.output
    return " ".join(done.stderr.split())


@pytest.mark.parametrize(
    "command", ["status", "up --detach", "down", "logs", "keys list", "reference count"]
)
def test_a_state_folder_that_is_a_file_is_a_sentence(home: Path, command: str) -> None:
    home.write_text("no folder")
    assert said(*command.split()).startswith(f"{home}/default")
    assert "ORDERS_HOME names the folder of all stacks" in said(*command.split())


def test_a_state_folder_that_cannot_be_made_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_HOME", "/proc/nowhere")
    assert "/proc/nowhere" in said("up", "--detach")


@pytest.fixture
def running(home: Path, tmp_path: Path) -> Iterator[Stack]:
    """A stack `first` on a data directory, of one process that sleeps."""
    folder = home / "first"
    folder.mkdir(parents=True)
    part = sleeping_part(tmp_path)
    stack = stack_of(tmp_path / "data", part, name="first")
    state.save(stack, folder)
    processes.start(part, folder)
    yield stack
    processes.stop([part], folder, "KILL")


def test_a_data_directory_in_use_names_the_stack_that_has_it(running: Stack) -> None:
    assert "The stack 'first' runs on" in said("up", "--data", running.data, "--name", "second")


def test_a_rate_below_zero_is_refused(running: Stack) -> None:
    assert "not -1" in said("keys", "new", "shop", "--rate", "-1", "--name", running.name)
    assert not Path(running.keys_file).exists()


def test_an_output_that_cannot_be_written_names_the_file(tmp_path: Path) -> None:
    error = FileNotFoundError(2, "No such file or directory", str(tmp_path / "x"))
    assert unusable_path(error, {}, Path("/home/u")) == (
        f"{tmp_path}/x can't be used: No such file or directory."
    )
