"""Runs the dashboard of one Kafka in the foreground, and opens it in the browser."""

from __future__ import annotations

import random
import socket
import subprocess
import tempfile
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Final

from order_operations.workloads.table import DASHBOARD
from order_runtime.kafka.address import KafkaAddress, Security, librdkafka_config
from order_stack.cluster import ports
from order_stack.cluster.state import write_privately
from order_stack.dashboard.environment import python_of_environment
from order_stack.problems import StackProblem

START_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.1
GROUP: Final = f"{DASHBOARD}.kaskade"
"""The group that records are read in; nothing is ever committed."""
UNPROTECTED: Final = (
    "This Kafka asks for no login: what the dashboard offers to change is really changed."
)


def run_dashboard(
    kafka: KafkaAddress, home: Path, port: int | None, say: Callable[[str], None], *, browser: bool
) -> None:
    """Serve until it is stopped; raises StackProblem where it can't be installed or started."""
    python = python_of_environment(home, say)
    if kafka.security is Security.PLAINTEXT:
        say(UNPROTECTED)
    chosen = port or ports.choose(["dashboard"], random.SystemRandom())["dashboard"]
    url = f"http://{ports.ADDRESS}:{chosen}"
    with tempfile.TemporaryDirectory(prefix="orders-dashboard-") as folder:
        config = Path(folder) / "kaskade.ini"
        write_privately(config, kaskade_config(kafka))
        with _serving(python, chosen, config) as process:
            _wait_until_it_listens(chosen, process)
            say(f"{url} shows {kafka.servers}; Ctrl-C ends it.")
            if browser:
                webbrowser.open(url)
            process.wait()
            raise StackProblem("The dashboard ended by itself.")


def kaskade_config(kafka: KafkaAddress) -> bytes:
    """Return kaskade's configuration file."""
    config = {**librdkafka_config(kafka), "group.id": GROUP}
    lines = ["[kafka]", *(f"{name} = {value}" for name, value in config.items()), ""]
    return "\n".join(lines).encode()


@contextmanager
def _serving(python: Path, port: int, config: Path) -> Iterator[subprocess.Popen[bytes]]:
    script = resources.files("order_stack.dashboard").joinpath("serve.py")
    with resources.as_file(script) as file:
        argv = [str(python), "-P", str(file), str(port), str(config), "Ordermill's Kafka"]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise StackProblem(f"The dashboard can't be started on port {port}.")
        try:
            socket.create_connection((ports.ADDRESS, port), POLL_SECONDS).close()
        except OSError:
            time.sleep(POLL_SECONDS)
        else:
            return
