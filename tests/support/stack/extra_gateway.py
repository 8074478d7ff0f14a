"""A further gateway on the backends of a running stack, as a child process of the test."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from support.harness.free_ports import free_ports
from support.stack.running_stack import RunningStack
from support.stack.wait import until

END_SECONDS = 20.0


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

    def is_ready(self) -> bool:
        """Return whether it takes requests; fails once it has ended."""
        assert self.process.poll() is None, f"the gateway ended with {self.process.returncode}"
        return self.probe("/readyz") == 200

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
    port, health = free_ports(2)
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
        until(gateway.is_ready, of="the other gateway")
        yield gateway
    finally:
        process.terminate()  # so that it reports its end, and no `orders doctor` misses it
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
