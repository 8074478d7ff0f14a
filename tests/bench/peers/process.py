"""Starts a peer in a process of its own, with the packages that only peers need."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import psutil

from bench.environment import Environment
from support.harness.free_ports import free_port
from support.stack.wait import until

TESTS: Final = Path(__file__).parents[2]
START_SECONDS: Final = 180.0


def python() -> str:
    """Return the Python of the peers' own virtual environment, which `make bench` installs."""
    return os.environ.get("BENCH_PYTHON", ".venv-bench/bin/python")


@contextmanager
def started(
    argv: Sequence[str], environment: Environment, name: str, **settings: str
) -> Iterator[psutil.Process]:
    """Run a command until the end of the body; its output is kept beside the stack's data."""
    log = environment.home / f"{name}.log"
    addresses = {
        "BENCH_KAFKA": environment.stack.kafka.servers,
        "BENCH_MONGO": environment.stack.mongo,
    }
    with log.open("wb") as output:
        child = subprocess.Popen(
            argv,
            env=os.environ | {"PYTHONPATH": str(TESTS)} | addresses | settings,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield psutil.Process(child.pid)
    except BaseException as error:
        error.add_note(f"{name} said:\n{log.read_text(errors='replace')[-2000:]}")
        raise
    finally:
        child.kill()
        child.wait()


@contextmanager
def http_peer(environment: Environment, app: str) -> Iterator[tuple[psutil.Process, str]]:
    """Serve a FastAPI application by uvicorn; yield its process and its URL."""
    port = free_port()
    argv = [python(), "-m", "uvicorn", app, "--port", str(port), "--no-access-log"]
    with started([*argv, "--loop", "uvloop", "--http", "httptools"], environment, app) as process:
        url = f"http://127.0.0.1:{port}"
        until(lambda: _answers(url), seconds=START_SECONDS, of=app)
        yield process, url


@contextmanager
def consumer_peer(
    environment: Environment, module: str, **settings: str
) -> Iterator[psutil.Process]:
    """Run a peer that consumes a topic."""
    argv = [python(), "-m", f"bench.peers.{module}"]
    with started(argv, environment, module, **settings) as process:
        yield process


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/openapi.json").status_code == 200
    except httpx.TransportError:
        return False
