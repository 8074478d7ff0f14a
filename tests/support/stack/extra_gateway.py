"""A further gateway on the backends of a running stack, as a child process of the test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from support.stack.running_stack import RunningStack
from support.stack.wait import until


@dataclass(frozen=True, slots=True)
class ExtraGateway:
    process: subprocess.Popen[bytes]
    port: int
    health: str

    def probe(self, path: str) -> int:
        """Return the HTTP status of a health probe; 0 without a response."""
        try:
            return httpx.get(f"{self.health}{path}").status_code
        except httpx.TransportError:
            return 0

    def metric(self, name: str) -> float:
        """Return the sum of a metric over all labels."""
        lines = httpx.get(f"{self.health}/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


@contextmanager
def extra_gateway(
    stack: RunningStack, log: Path | None = None, **settings: str
) -> Iterator[ExtraGateway]:
    """
    Start a gateway with the stack's environment and *settings*; yield it when it is ready.

    Its logs are written to the file *log*, if one is given.
    """
    port, health = _free_port(), _free_port()
    own = {"PORT": str(port), "HEALTH_PORT": str(health), "INSTANCE": f"gateway-{port}"} | settings
    environ = psutil.Process(stack.part("gateway")["pid"]).environ()
    with (log or Path(os.devnull)).open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "gateway"],
            env=environ | {f"ORDERMILL_{name}": value for name, value in own.items()},
            stdout=out,
        )
    gateway = ExtraGateway(process, port, f"http://127.0.0.1:{health}")
    try:
        until(lambda: gateway.probe("/readyz") == 200, of="the other gateway")
        yield gateway
    finally:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        port: int = it.getsockname()[1]
        return port
