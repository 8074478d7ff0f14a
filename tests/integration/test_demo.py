"""The demo, as somebody sees it who runs it for the first time."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from importlib import resources
from typing import Any

import pytest

from support.stack.running_stack import ORDERS, processes_under

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

ENDS = {
    "Completed",
    "CompletedWithErrors",
    "Failed",
    "refused at once: 400",
    "refused at once: 409",
}


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    home, data = (tmp_path_factory.mktemp(f"demo-{name}") for name in ("home", "data"))
    environ = {**os.environ, "ORDERS_HOME": str(home), "TMPDIR": str(data)}
    done = subprocess.run(
        [ORDERS, "demo"], env=environ, capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert not [*home.glob("*/*"), *data.iterdir()], "the demo leaves a directory behind"
    assert not processes_under(home), "the demo leaves a process behind"
    return done.stdout


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    text = resources.files("order_stack.demo").joinpath("sample", "expected.json").read_text()
    figures: dict[str, Any] = json.loads(text)
    return figures


def cells(shown: str) -> list[tuple[str, ...]]:
    """Return the rows of all tables; columns are two spaces or more apart."""
    lines = (line.strip() for line in shown.splitlines())
    return [tuple(it.strip() for it in line.split("  ") if it.strip()) for line in lines]


def test_it_shows_what_became_of_every_order(shown: str, expected: dict[str, Any]) -> None:
    """
    A duplicate is refused at once or by its job, whichever comes first.
    """
    ends: Counter[str] = Counter()
    for row in cells(shown):
        for end in row[-3:-1]:
            if end in ENDS:
                ends[end] += int(row[-1])

    assert ends["Completed"] == expected["jobsCompleted"]
    assert ends["CompletedWithErrors"] == expected["jobsCompletedWithErrors"]
    assert ends["refused at once: 400"] == expected["refused"]
    assert ends["Failed"] + ends["refused at once: 409"] == expected["duplicates"]


def test_it_delivers_what_the_sample_is_said_to_give(shown: str, expected: dict[str, Any]) -> None:
    rows = cells(shown)
    signed = [row for row in rows if row[-1:] == ("verified",)]
    for action, count in expected["actionsDelivered"].items():
        assert len([row for row in signed if action in row]) == count
    assert "NOT VERIFIED" not in shown


def test_it_shows_the_integration_log(shown: str, expected: dict[str, Any]) -> None:
    rows = cells(shown)
    for label, count in expected["integrationLog"].items():
        code = label.split()[0]
        assert len([row for row in rows if row[:2] == ("Warning", code)]) == count


def test_its_output_in_a_file_has_no_control_characters(shown: str) -> None:
    assert all(character.isprintable() or character == "\n" for character in shown)


def test_it_says_how_long_each_step_took(shown: str) -> None:
    steps = [line for line in shown.splitlines() if line.endswith(" s") and line.startswith("  ")]
    assert len(steps) == 4
