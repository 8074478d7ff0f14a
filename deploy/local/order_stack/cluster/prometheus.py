"""A real Prometheus, which scrapes the services of a stack and evaluates our rules."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from order_operations.observability.prometheus import job_of, prometheus_config, rule_file
from order_operations.observability.timing import Timing
from order_stack.cluster.parts import Part, Probe
from order_stack.cluster.ports import ADDRESS
from order_stack.cluster.stack_identity import StackIdentity
from order_stack.cluster.topology import numbered
from order_stack.problems import StackProblem

NAME: Final = "prometheus"
INTERVAL: Final = "5s"
RETENTION: Final = "7d"


def program() -> str:
    """Return the Prometheus that is installed; raises StackProblem where there is none."""
    found = shutil.which(NAME)
    if found is None:
        raise StackProblem(
            "Prometheus isn't installed: `apt-get install prometheus` does it on Debian; or leave "
            "out --metrics."
        )
    return found


def write_config(identity: StackIdentity, data: Path) -> None:
    """Write what to scrape, and the rules; both are made anew at each start."""
    folder = _folder(data)
    folder.mkdir(exist_ok=True)
    # JSON, which is YAML as well.
    config = prometheus_config(_targets(identity), INTERVAL)
    (folder / "prometheus.yaml").write_text(json.dumps(config, indent=2))
    (folder / "rules.yaml").write_text(json.dumps(rule_file(Timing()), indent=2))


def part(executable: str, url: str, data: Path, logs: Path) -> Part:
    folder = _folder(data)
    probe = Probe("http", f"{url}/-/ready")
    return Part(
        name=NAME,
        kind="observer",
        argv=(
            executable,
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'series'}",
            f"--storage.tsdb.retention.time={RETENTION}",
            f"--web.listen-address={url.removeprefix('http://')}",
        ),
        env={},
        log=str(logs / f"{NAME}.log"),
        live=probe,
        ready=probe,
        url=url,
    )


def _folder(data: Path) -> Path:
    return data / NAME


def _targets(identity: StackIdentity) -> Mapping[str, Sequence[str]]:
    """Return the addresses of the services' health ports, by job."""
    return {
        job_of(service): [f"{ADDRESS}:{identity.ports[it]}" for it in numbered(service, count)]
        for service, count in identity.topology.services.items()
    }
