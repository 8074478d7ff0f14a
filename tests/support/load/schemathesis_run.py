"""Runs schemathesis on the OpenAPI document that a gateway serves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.stack.running_stack import RunningStack

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
CONFIG = Path(__file__).with_name("schemathesis.toml")
SEED = 4


def run_schemathesis(stack: RunningStack, folder: Path, *options: str, seconds: float) -> str:
    """
    Run schemathesis against the stack's gateway; return its output.

    Fails if a response isn't one that the document describes. The requests are the same in every
    run; *folder* is the working directory.
    """
    done = subprocess.run(
        [
            SCHEMATHESIS,
            "--config-file",
            CONFIG,
            "run",
            f"{stack.gateway}/api/v3/openapi.json",
            f"--header=apikey: {stack.apikey}",
            f"--seed={SEED}",
            "--generation-database=none",
            "--continue-on-failure",
            "--no-color",
            *options,
        ],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CONFIG.parents[2]), "COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
    return done.stdout
