"""The gateway answers as its OpenAPI document says; `make faults` has the long form."""

from __future__ import annotations

from pathlib import Path

from support.load.schemathesis_run import run_schemathesis
from support.stack.running_stack import RunningStack


def test_made_up_requests_are_answered_as_documented(stack: RunningStack, tmp_path: Path) -> None:
    """
    Right and wrong ones on every call: no 500, no status, header or body that isn't described.
    """
    options = ("--phases=examples,fuzzing", "--mode=all", "--max-examples=8")

    said = run_schemathesis(stack, tmp_path, *options, seconds=100)

    assert "Tested: 14" in said
