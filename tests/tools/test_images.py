"""The images, built from the Dockerfile: what is in them, and that the services run from them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Protocol

import httpx
import pytest
from psutil import Process

from order_contracts.topics import ENRICHER, GATEWAY, MIGRATOR
from order_operations.workloads.table import SERVICES
from support.manifests.images import USER, Image, image_store, owned_by_the_pod
from support.manifests.pods import (
    BASE,
    MOUNTS,
    ROOT,
    Manifest,
    config_maps,
    mount_secrets,
    named,
    process_of,
)
from support.stack.cluster_secrets import cluster_secrets, kafka_clients
from support.stack.manifest_process import started
from support.stack.running_stack import RunningStack

pytestmark = [pytest.mark.tools, pytest.mark.timeout(600)]

OPERATIONS = "operations"
RECEIVER = "receiver"
IMAGES = (*SERVICES, OPERATIONS, RECEIVER)
EACH = pytest.mark.parametrize("name", IMAGES)
MAX_BYTES = 250_000_000
ONLY_IN = {"phonenumberslite": {ENRICHER}, "fastapi": {GATEWAY}, "typer": {OPERATIONS, RECEIVER}}
"""Packages that no other image needs."""


class Built(Protocol):
    def __call__(self, name: str) -> Image: ...


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """Return what builds an image when it is first asked for."""
    with image_store(tmp_path_factory.mktemp("images")) as buildah:
        yield cache(buildah.build)


@EACH
def test_an_image_is_small_labelled_and_not_roots(built: Built, name: str) -> None:
    image = built(name)

    assert image.size < MAX_BYTES
    assert image.config["User"] == f"{USER}:{USER}"
    labels = image.config["Labels"]
    assert labels["org.opencontainers.image.title"] == f"ordermill/{name}"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


@EACH
def test_an_image_has_what_is_locked_and_its_bill_says_so(built: Built, name: str) -> None:
    bill = json.loads((built(name).root / "opt/ordermill/sbom.cdx.json").read_text())
    found = {canonical(it["name"]): it["version"] for it in bill["components"]}
    lock = {line.split(" ")[0] for line in (ROOT / "requirements.lock").read_text().splitlines()}
    own = {it for it in found if it.startswith("order-") or it in IMAGES}

    assert bill["bomFormat"] == "CycloneDX"
    assert {f"{it}=={found[it]}" for it in found.keys() - own} <= lock
    assert "order-runtime" in own
    assert {it: it in found for it in ONLY_IN} == {
        it: name in where for it, where in ONLY_IN.items()
    }
    assert not {"pip", "hatchling", "pytest", "cyclonedx-bom"} & found.keys()


@EACH
def test_its_entry_point_is_the_program(built: Built, name: str, tmp_path: Path) -> None:
    """Without settings a service says which are missing; a command says what it takes."""
    image = built(name)
    done = subprocess.run(
        image.argv(image.config["Entrypoint"], tmp_path),
        env=image.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    said = "ORDERMILL_KAFKA: Field required." if name in SERVICES else "Usage: "
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_runs_from_its_image(
    built: Built, name: str, secure: RunningStack, production: list[Manifest], tmp_path: Path
) -> None:
    """As the pod's user, on a root file system that is read-only, with the rendered environment."""
    image, mounts = built(name), tmp_path / "mounts"
    workload = named(production, name, "Deployment", "StatefulSet")
    secrets = cluster_secrets(secure, MOUNTS)
    process = process_of(workload, config_maps(production), secrets, mounts)
    owned_by_the_pod(mounts)
    inside = {it: value.replace(str(mounts), MOUNTS) for it, value in process.environ.items()}
    process = replace(process, environ=image.environ | inside)
    argv = image.argv(process.command, mounts)
    with started(process, kafka_clients(secure), argv, tmp_path / "log") as container:
        container.wait_until_ready(120)

        assert Process(container.process.pid).uids().effective == USER
        assert container.probe("liveness") == httpx.codes.OK
        assert container.ended_by_sigterm(60) == 0, container.tail()


def test_the_command_operates_a_system_from_its_image(
    built: Built, secure: RunningStack, tmp_path: Path
) -> None:
    image, mounts = built(OPERATIONS), tmp_path / "mounts"
    mount_secrets(cluster_secrets(secure, MOUNTS), mounts)
    profile = (BASE / "migration" / "migrator.env").read_text()
    at = profile.replace("ordermill-kafka-bootstrap:9093", kafka_clients(secure))
    (mounts / "migrator.env").write_text(at)
    owned_by_the_pod(mounts)
    for command in (("topics", "apply"), ("migrate", "apply")):
        done = subprocess.run(
            image.argv(["orders", *command, "--profile", f"{MOUNTS}/{MIGRATOR}.env"], mounts),
            env=image.environ,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def canonical(name: str) -> str:
    """Return a package's name as the lock has it."""
    return re.sub(r"[-_.]+", "-", name).lower()
