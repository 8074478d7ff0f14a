"""The examples of docs/http-api.md, run from top to bottom as they stand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from order_contracts.routes import BASE_PATH
from order_contracts.specs.calls import CALLS
from support.stack.doc_examples import HTTP_API, Shell, blocks, prepared_shell
from support.stack.running_stack import RunningStack

SETUP = "The examples"
HEADINGS = re.findall(r"^## ((?:GET|POST|PUT|DELETE) .*)$", HTTP_API.read_text(), re.MULTILINE)


@pytest.fixture
def shell(stack: RunningStack, tmp_path: Path) -> Shell:
    return prepared_shell(stack, tmp_path)


def test_every_call_is_shown_with_curl_and_with_python() -> None:
    """
    No call without its section, no section without both.
    """
    calls = {f"{call.method.upper()} {call.path.removeprefix(BASE_PATH)}" for call in CALLS}

    assert set(HEADINGS) == calls
    for heading in HEADINGS:
        assert blocks(HTTP_API, heading), heading
        assert blocks(HTTP_API, heading, "python"), heading


def test_the_curl_examples_are_answered(shell: Shell) -> None:
    """
    Each without an error, with JSON.
    """
    for heading in (SETUP, *HEADINGS):
        for block in blocks(HTTP_API, heading):
            said = [json.loads(line) for line in shell.type(block).split("\n") if line]
            assert said or heading == SETUP


def test_the_python_examples_are_typed_and_do_what_they_say(shell: Shell, tmp_path: Path) -> None:
    """
    One script of them all, as a reader would write it down.
    """
    example = tmp_path / "examples.py"
    script = [block for it in (SETUP, *HEADINGS) for block in blocks(HTTP_API, it, "python")]
    example.write_text("\n\n".join(script))

    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    said = shell.type(f"export API KEY\n{sys.executable} examples.py").splitlines()

    assert checked.returncode == 0, checked.stdout
    assert said[0] == "Completed"
    assert said[-1] == "Completed"
    assert "['python-9999']" in said
