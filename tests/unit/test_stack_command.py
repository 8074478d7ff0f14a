"""The `orders` command says what is wrong in a sentence, whatever it is run on."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from order_stack.cli.main import app, unusable_path


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


def test_an_output_that_cannot_be_written_names_the_file(tmp_path: Path) -> None:
    error = FileNotFoundError(2, "No such file or directory", str(tmp_path / "x"))
    assert unusable_path(error, {}, Path("/home/u")) == (
        f"{tmp_path}/x can't be used: No such file or directory."
    )
