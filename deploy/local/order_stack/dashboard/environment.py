"""The dashboard's own Python environment: made once, of locked packages, for all stacks."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Final

from order_stack.problems import StackProblem

LOCK: Final = "requirements.lock"
ENVIRONMENT: Final = "environment"
SECONDS: Final = 600  # for 200 MB on a slow line


def python_of_environment(home: Path, say: Callable[[str], None]) -> Path:
    """
    Return the Python that has kaskade, below *home*; installs it where it is missing.

    Raises StackProblem where the packages can't be had.
    """
    lock = resources.files("order_stack.dashboard").joinpath(LOCK).read_bytes()
    made_of = f"{lock.hex()} {sys.version_info[:2]}".encode()
    folder = home / f"dashboard-{hashlib.sha256(made_of).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # of two commands at once, the second waits
        installed = folder / "installed"
        if not installed.exists():
            say("Installing the dashboard, once")
            _install(folder, lock)
            installed.touch()
    return _python(folder)


def _install(folder: Path, lock: bytes) -> None:
    requirements = folder / LOCK
    requirements.write_bytes(lock)
    _run(sys.executable, "-m", "venv", "--clear", str(folder / ENVIRONMENT))
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    wanted = ("--require-hashes", "--no-deps", "--requirement", str(requirements))
    _run(str(_python(folder)), *pip, *wanted)


def _python(folder: Path) -> Path:
    return folder / ENVIRONMENT / "bin" / "python"


def _run(*argv: str) -> None:
    try:
        subprocess.run(argv, check=True, timeout=SECONDS, capture_output=True)
    except (subprocess.SubprocessError, OSError) as error:
        raise StackProblem(
            "The dashboard can't be installed from the Python Package Index; check the network "
            f"(HTTPS_PROXY, or pip's index-url) ({type(error).__name__})."
        ) from error
