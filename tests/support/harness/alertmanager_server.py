"""A real Alertmanager with our inhibitions: which alerts a person would be told of."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from order_operations.observability.export import as_yaml
from order_operations.observability.prometheus import alertmanager_config, alerts
from order_operations.observability.timing import Timing
from support.harness.free_ports import free_port

PROGRAMS = ("alertmanager", "prometheus-alertmanager")  # as it is named, and as Debian names it


@dataclass(frozen=True, slots=True)
class AlertmanagerServer:
    """Its HTTP API."""

    url: str

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://")

    def told(self) -> set[str]:
        """Return the names of the alerts that fire and aren't inhibited."""
        wanted = {"active": "true", "inhibited": "false", "silenced": "false"}
        found = httpx.get(f"{self.url}/api/v2/alerts", params=wanted, timeout=10).json()
        return {it["labels"]["alertname"] for it in found}

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def alertmanager_server(folder: Path, timing: Timing) -> Iterator[AlertmanagerServer]:
    """Run an Alertmanager in *folder*."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    assert program, "Alertmanager is missing: apt-get install prometheus-alertmanager"
    config = folder / "alertmanager.yaml"
    config.write_text(as_yaml(alertmanager_config(alerts(timing))))
    address = f"127.0.0.1:{free_port()}"
    argv = [
        program,
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",  # it is alone
    ]
    with (folder / "alertmanager.log").open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=out)
    try:
        yield AlertmanagerServer(f"http://{address}")
    finally:
        process.kill()
        process.wait()
