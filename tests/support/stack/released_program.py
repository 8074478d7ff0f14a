"""The release before this one: its own code with its own packages, and parts moved from it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

from support.stack.running_stack import RunningStack

ROOT: Final = Path(__file__).parents[3]
SECONDS: Final = 600.0  # to install its packages, where none is in a cache


def released_commit(file: Path) -> str:
    commit: str = tomllib.loads(file.read_text())["commit"]
    return commit


def install(commit: str, folder: Path) -> Path:
    """Install a *commit* of this repository into an empty *folder*; return its `orders`."""
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=tar", commit],
        capture_output=True,
        check=False,
    )
    assert archive.returncode == 0, f"git archive {commit}: {archive.stderr.decode()}"
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    made = subprocess.run(
        ["make", "-C", str(folder), "setup"],
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert made.returncode == 0, f"make setup of {commit}: {made.stderr}"
    return folder / ".venv" / "bin" / "orders"


def upgrade_part(stack: RunningStack, service: str) -> None:
    """Stop a process of the release before and start one of this release, as a rollout does."""
    stack.kill(service, "TERM")
    state = stack.command.home / stack.name / "stack.json"
    saved = json.loads(state.read_text())
    for part in saved["parts"]:
        if part["name"] == service:
            part["argv"][0] = sys.executable
    state.write_text(json.dumps(saved))
    stack.start(service)
