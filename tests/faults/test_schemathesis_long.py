"""The long form of `tests/integration/test_schemathesis.py`, with sequences of calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.load.schemathesis_run import run_schemathesis
from support.stack.running_stack import RunningStack

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1_200)]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--phases=coverage", "--max-examples=50"), id="every-limit"),
        pytest.param(("--phases=fuzzing", "--max-examples=100"), id="many"),
        pytest.param(("--phases=stateful", "--max-examples=100"), id="sequences"),
    ],
)
def test_made_up_requests_are_answered_as_documented(
    stack: RunningStack, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """
    Values at every limit of the document, random values, and sequences of dependent calls.
    """
    run_schemathesis(stack, tmp_path, "--mode=all", *options, seconds=1_100)
