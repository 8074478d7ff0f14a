"""The compose file gives each service what it asks for, in the order in which it can start."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from order_operations.workloads.processes import HEALTH
from order_operations.workloads.table import SERVICES
from order_runtime.auth.api_keys import KeyFile
from order_runtime.process.settings import ServiceSettings, load
from support.manifests.compose import COMPOSE
from support.manifests.pods import MOUNTS, Manifest, documents

ORDERS = Path(sys.executable).with_name("orders")


@pytest.fixture
def parts() -> Manifest:
    [whole] = documents(COMPOSE / "compose.yaml")
    services: Manifest = whole["services"]
    return services


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the secrets that the script makes."""
    folder = tmp_path_factory.mktemp("compose")
    shutil.copy(COMPOSE / "prepare", folder)
    for _ in range(2):  # what is there stays
        subprocess.run(
            [str(folder / "prepare")], env={**os.environ, "ORDERS": str(ORDERS)}, check=True
        )
    return folder / "secrets"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_accepts_its_environment(
    service: str,
    parts: Manifest,
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    part = parts[service]
    for it in part["secrets"]:
        place = Path(it["target"].replace(MOUNTS, str(tmp_path)))
        place.parent.mkdir(exist_ok=True)
        shutil.copy(prepared / it["source"], place)
    for name in [it for it in os.environ if it.startswith("ORDERMILL_")]:
        monkeypatch.delenv(name)
    for name, value in part["environment"].items():
        monkeypatch.setenv(name, value.replace(MOUNTS, str(tmp_path)))

    found: type[ServiceSettings] = import_module(f"{SERVICES[service].module}.settings").Settings
    settings: Any = load(found)

    asked = part["healthcheck"]["test"][-1]
    port = getattr(settings, SERVICES[service].ports[HEALTH].lower())
    assert f"http://127.0.0.1:{port}{SERVICES[service].ready}" in asked
    for file in SERVICES[service].files:
        assert getattr(settings, file.lower()).is_file()


def test_services_start_when_topics_and_indexes_are_there(parts: Manifest) -> None:
    for service in SERVICES:
        assert parts[service]["depends_on"] == {
            it: {"condition": "service_completed_successfully"} for it in ("topics", "migrations")
        }
    for job, backend in (("topics", "kafka"), ("migrations", "mongo")):
        assert parts[job]["depends_on"] == {backend: {"condition": "service_healthy"}}
        assert "healthcheck" in parts[backend]
        assert parts[job]["restart"] == "no"


def test_what_a_service_refers_to_is_there(parts: Manifest) -> None:
    [whole] = documents(COMPOSE / "compose.yaml")
    for it in parts.values():
        assert set(it.get("depends_on", {})) <= set(parts)
        assert {secret["source"] for secret in it.get("secrets", [])} <= set(whole["secrets"])
        sources = {volume.partition(":")[0] for volume in it.get("volumes", [])}
        files = {source for source in sources if source.startswith(".")}
        assert sources - files <= set(whole["volumes"])
        assert {source for source in files if not (COMPOSE / source).exists()} == set()


def test_nothing_is_published_beyond_this_machine(parts: Manifest) -> None:
    published = [port for it in parts.values() for port in it.get("ports", [])]
    assert published
    assert [it for it in published if not it.startswith("127.0.0.1:")] == []


def test_the_secrets_are_made_once_and_belong_together(prepared: Path) -> None:
    [secret] = tomllib.loads((prepared / "webhooks.toml").read_text())["default"]["secrets"]
    assert (prepared / "receiver.env").read_text() == f"RECEIVER_SECRET={secret}\n"
    assert [it.name for it in KeyFile(prepared / "keys.json").keys()] == ["compose"]  # noqa: SIM118


def test_keys_in_a_file_are_made_shown_and_revoked(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"

    def keys(*args: str) -> str:
        argv = [str(ORDERS), "keys", *args, "--file", str(file)]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    key = keys("new", "shop").strip()
    assert KeyFile(file).find(key)
    id_ = key.partition(".")[0]
    assert id_ in keys("list")
    rotated = keys("rotate", id_).strip()
    keys("revoke", id_)
    assert KeyFile(file).find(key) is None
    assert KeyFile(file).find(rotated)
