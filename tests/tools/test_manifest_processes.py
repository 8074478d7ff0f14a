"""The services start as the rendered manifests say, on a Kafka and a MongoDB with logins."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from order_contracts.topics import GATEWAY
from order_operations.workloads.processes import HTTP
from order_operations.workloads.table import SERVICES
from support.manifests.pods import (
    BASE,
    MOUNTS,
    Manifest,
    config_maps,
    documents,
    mount_secrets,
    named,
    pod_of,
    process_of,
)
from support.stack.cluster_secrets import cluster_secrets, kafka_clients
from support.stack.manifest_process import StartedContainer, started
from support.stack.running_stack import ORDERS, RunningStack

pytestmark = [pytest.mark.tools, pytest.mark.timeout(300)]

KINDS = ("Deployment", "StatefulSet")


@pytest.fixture
def running(
    request: pytest.FixtureRequest,
    secure: RunningStack,
    production: list[Manifest],
    tmp_path: Path,
) -> Iterator[StartedContainer]:
    """Start the service of the test's parameter beside those of the stack."""
    mounts = tmp_path / "mounts"
    secrets = cluster_secrets(secure, str(mounts))
    process = process_of(
        named(production, request.param, *KINDS), config_maps(production), secrets, mounts
    )
    assert process.command[0] == "python"
    argv = [sys.executable, *process.command[1:]]
    with started(process, kafka_clients(secure), argv, tmp_path / "log") as container:
        yield container


@pytest.mark.parametrize("running", SERVICES, indirect=True)
def test_a_service_starts_is_ready_and_ends(running: StartedContainer) -> None:
    running.wait_until_ready()

    assert running.probe("liveness") == running.probe("startup") == httpx.codes.OK
    assert running.ended_by_sigterm(60) == 0, running.tail()


@pytest.mark.parametrize("running", [GATEWAY], indirect=True)
def test_the_gateway_answers_at_its_port_with_its_certificate(
    running: StartedContainer, secure: RunningStack
) -> None:
    running.wait_until_ready()
    trusting = ssl.create_default_context(cafile=secure.ca_file)
    trusting.check_hostname = False  # it is made for 127.0.0.1, and asked at another loopback

    url = f"https://{running.host}:{running.ports[HTTP]}/api/v3/orders/nobody"
    answer = httpx.get(url, headers={"apikey": secure.apikey}, verify=trusting)

    assert answer.status_code == httpx.codes.NOT_FOUND


def test_the_migration_does_its_steps(secure: RunningStack, tmp_path: Path) -> None:
    """In their order, by the profiles that are mounted, in a system where they are done before."""
    [job] = documents(BASE / "migration" / "job.yaml")
    mount_secrets(cluster_secrets(secure, str(tmp_path)), tmp_path)
    for step in [*pod_of(job)["initContainers"], *pod_of(job)["containers"]]:
        program, *command, profile = step["command"]
        assert program == ORDERS.name
        copy = tmp_path / Path(profile).name
        text = (BASE / "migration" / copy.name).read_text().replace(MOUNTS, str(tmp_path))
        copy.write_text(text.replace("ordermill-kafka-bootstrap:9093", kafka_clients(secure)))
        argv = [str(ORDERS), *command, str(copy)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, (step["name"], done.stderr)
