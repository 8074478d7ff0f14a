"""The command `orders` as it is installed on a machine that operates a system elsewhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.stack.running_stack import RunningStack

pytestmark = [pytest.mark.tools, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
MEMBERS = ("schemas", "libs/runtime", "libs/operations", "deploy/local")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Install the command and what it depends on, at the locked versions; return how to run it."""
    home = tmp_path_factory.mktemp("alone")
    uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    python = home / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, home / "venv"], check=True)
    where = ["--python", str(python), "--constraint", str(ROOT / "requirements.lock")]
    members = [str(ROOT / it) for it in MEMBERS]
    subprocess.run([uv, "pip", "install", "--quiet", *where, *members], check=True)

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(python.with_name("orders")), *args],
            env={"PATH": os.environ["PATH"], "ORDERS_HOME": str(home / "state")},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_it_operates_a_system_by_a_profile(
    orders: Run, stack: RunningStack, tmp_path: Path
) -> None:
    profile = tmp_path / "operator.env"
    profile.write_text(f"ORDERMILL_KAFKA={stack.kafka}\nORDERMILL_MONGO={stack.mongo}\n")
    for command in (
        ("topics", "plan"),
        ("migrate", "plan"),
        ("offsets", "plan"),
        ("dlq", "list"),
        ("deliveries", "list"),
        ("reference", "count"),
    ):
        done = orders(*command, "--profile", str(profile))
        assert done.returncode == 0, (command, done.stderr)


def test_it_brings_no_stack_and_says_how_to_get_one(orders: Run) -> None:
    for command in (("up",), ("demo",)):
        done = orders(*command)
        assert done.returncode == 1
        assert "deploy/local[embedded]" in done.stderr
        assert "Traceback" not in done.stderr
