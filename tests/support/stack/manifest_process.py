"""A container of a manifest, run as a process of this machine against a stack."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from support.manifests.pods import ContainerProcess, Manifest
from support.stack.wait import until

EVERYWHERE = "0.0.0.0"  # noqa: S104  what the manifests say, and is replaced here


@dataclass(frozen=True, slots=True)
class StartedContainer:
    """A container's process, which has a loopback address of its own and so the real ports."""

    process: subprocess.Popen[bytes]
    host: str
    container: Manifest
    ports: Mapping[str, int]
    log: Path

    def probe(self, name: str) -> int:
        """Return what the kubelet would be answered; 0 without an answer."""
        asked = self.container[f"{name}Probe"]["httpGet"]
        try:
            url = f"http://{self.host}:{self.ports[asked['port']]}{asked['path']}"
            return httpx.get(url, timeout=5).status_code
        except httpx.TransportError:
            return 0

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Wait for readiness; fails with the log where the process ends before."""

        def ready() -> bool:
            assert self.process.poll() is None, self.tail()
            return self.probe("readiness") == httpx.codes.OK

        until(ready, seconds=seconds, of=f"readiness of {self.container['name']}\n{self.tail()}")

    def ended_by_sigterm(self, seconds: float) -> int:
        """Stop it as the kubelet does; return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]


@contextmanager
def started(
    container: ContainerProcess, kafka: str, argv: Sequence[str], log: Path
) -> Iterator[StartedContainer]:
    """
    Run *argv*, the container's command, with its environment; always end it.

    Replaced are the addresses alone: where Kafka is, and where it listens on.
    """
    host = ".".join(["127", *(str(random.randint(1, 254)) for _ in range(3))])
    environ = {
        name: host if value == EVERYWHERE else value for name, value in container.environ.items()
    }
    environ = {"PATH": os.environ["PATH"]} | environ | {"ORDERMILL_KAFKA": kafka}
    with log.open("wb") as out:
        process = subprocess.Popen(argv, env=environ, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield StartedContainer(process, host, container.container, container.ports, log)
    finally:
        process.kill()
        process.wait()
