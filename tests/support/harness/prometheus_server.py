"""A real Prometheus with our rules, scraping every second."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from order_operations.observability.export import as_yaml
from order_operations.observability.prometheus import prometheus_config, rule_file
from order_operations.observability.timing import Timing
from support.harness.free_ports import free_port

INTERVAL = "1s"
DRILL = Timing(0.02)
"""Five minutes are six seconds."""


@dataclass(frozen=True, slots=True)
class PrometheusServer:
    """Its HTTP API."""

    url: str

    def query(self, expr: str) -> list[float]:
        """Return the values of an instant query; raises AssertionError where it isn't one."""
        found = httpx.get(f"{self.url}/api/v1/query", params={"query": expr}, timeout=30).json()
        assert found["status"] == "success", (expr, found)
        data = found["data"]
        samples = [data["result"]] if data["resultType"] == "scalar" else data["result"]
        return [float(it[1] if isinstance(it, list) else it["value"][1]) for it in samples]

    def rules(self) -> list[dict[str, Any]]:
        """Return all rules as they were evaluated last."""
        found = httpx.get(f"{self.url}/api/v1/rules", timeout=30).json()
        return [rule for group in found["data"]["groups"] for rule in group["rules"]]

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready").status_code == 200
        except httpx.TransportError:
            return False


@contextmanager
def prometheus_server(
    folder: Path, targets: Mapping[str, Sequence[str]], alertmanager: str | None = None
) -> Iterator[PrometheusServer]:
    """Run a Prometheus in *folder* that scrapes *targets*, by job, and tells *alertmanager*."""
    program = shutil.which("prometheus")
    assert program, "Prometheus is missing: apt-get install prometheus"
    (folder / "rules.yaml").write_text(as_yaml(rule_file(DRILL)))
    config = folder / "prometheus.yaml"
    told = [alertmanager] if alertmanager else []
    config.write_text(as_yaml(prometheus_config(targets, INTERVAL, told)))
    address = f"127.0.0.1:{free_port()}"
    with (folder / "prometheus.log").open("wb") as out:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=out,
            stderr=out,
        )
    try:
        yield PrometheusServer(f"http://{address}")
    finally:
        process.kill()
        process.wait()
