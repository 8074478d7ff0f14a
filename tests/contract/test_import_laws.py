"""The import laws of `pyproject.toml` can fail: each is broken once, in packages made for it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
CONFIG: dict[str, Any] = tomllib.loads(PYPROJECT.read_text())["tool"]["importlinter"]
LINTER = Path(sys.executable).with_name("lint-imports")
LIMIT = 60  # seconds
SERVICES = ("gateway", "order_writer", "enricher", "action_trigger")

PACKAGES, PROCESSES, STOREYS, ROOMS, PURE, NO_TERMINAL = CONFIG["contracts"]
PLANTED = {
    "packages": (
        PACKAGES,
        [
            "order_contracts.extra -> order_runtime",
            "order_runtime.extra -> gateway",
            "enricher.extra -> gateway",
            "order_operations.jobs.extra -> order_stack",
            "order_operations.jobs.extra -> order_manifests",
        ],
    ),
    "processes": (
        PROCESSES,
        ["order_stack.extra -> order_writer", "order_manifests.extra -> gateway"],
    ),
    "storeys": (
        STOREYS,
        [
            "gateway.http.extra -> gateway.app",
            "order_writer.adapters.extra -> order_writer.app",
            "enricher.app.extra -> enricher.__main__",
            "action_trigger.domain.extra -> action_trigger.adapters",
        ],
    ),
    "rooms": (
        ROOMS,
        [
            "order_operations.jobs.extra -> order_operations.privacy",
            "order_operations.topics.extra -> order_operations.access",
            "order_operations.dead_letters.extra -> order_operations.consumers",
            "order_operations.connections.extra -> order_operations.dead_letters",
        ],
    ),
    "pure": (
        PURE,
        ["order_writer.domain.extra -> time", "enricher.domain.extra -> order_runtime.client"],
    ),
    "no terminal": (NO_TERMINAL, ["order_operations.jobs.extra -> rich"]),
}
"""For each law the imports that break it: also at one remove, where the law says so."""


def rooms_of_operations() -> list[str]:
    """Return the folders and single modules of `order_operations`."""
    return [room for layer in ROOMS["layers"] for room in layer.split(" | ")]


def modules() -> Iterator[str]:
    """Yield all modules that the laws speak of, and those that an import is planted in."""
    yield from CONFIG["root_packages"]
    for service in SERVICES:
        for storey in ("__main__", "app.use", "adapters.client", "domain.value"):
            yield f"{service}.{storey}"
    yield from ("gateway.http.server", "gateway.routes")
    yield from (f"order_operations.{room}.__init__" for room in rooms_of_operations())
    yield from (f"{name}.value" for name in PURE["source_modules"])
    for _, imports in PLANTED.values():
        yield from (each.partition(" -> ")[0] for each in imports)


def packages(folder: Path) -> None:
    """Make all these modules, empty, and one adapter that a domain must not reach."""
    for name in modules():
        path = folder.joinpath(*name.split("."))
        path.parent.mkdir(parents=True, exist_ok=True)
        for parent in path.relative_to(folder).parents[:-1]:
            (folder / parent / "__init__.py").touch()
        if name in CONFIG["root_packages"]:
            path.mkdir(exist_ok=True)
            (path / "__init__.py").touch()
        else:
            path.with_suffix(".py").touch()
    (folder / "order_runtime" / "client.py").write_text("import pymongo\n")


def plant(folder: Path, broken: str) -> None:
    module, _, imported = broken.partition(" -> ")
    path = folder.joinpath(*module.split(".")).with_suffix(".py")
    path.write_text(f"{path.read_text()}import {imported}\n")


def linted(folder: Path) -> tuple[int, str]:
    """Run the linter over the packages in *folder*, by the laws of this project."""
    done = subprocess.run(
        [LINTER, "--no-cache", "--no-logo", "--config", PYPROJECT],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_packages_that_keep_the_laws_pass(tmp_path: Path) -> None:
    """Else the tests below would prove nothing."""
    packages(tmp_path)
    status, output = linted(tmp_path)
    assert (status, output.count("KEPT")) == (0, len(CONFIG["contracts"])), output


@pytest.mark.parametrize(("law", "imports"), PLANTED.values(), ids=PLANTED)
def test_a_law_fails_where_it_is_broken(
    tmp_path: Path, law: dict[str, Any], imports: list[str]
) -> None:
    packages(tmp_path)
    for each in imports:
        plant(tmp_path, each)
    status, output = linted(tmp_path)
    assert status == 1, output
    assert (f"{law['name']} BROKEN" in output, output.count("BROKEN")) == (True, 1), output
    assert [each for each in imports if each not in output] == [], output


def test_every_domain_is_watched_and_every_client_forbidden(tmp_path: Path) -> None:
    """Not only those that happened to be planted above."""
    packages(tmp_path)
    *others, last = PURE["source_modules"]
    planted = [f"{package}.value -> os" for package in others]
    planted += [f"{last}.value -> {forbidden}" for forbidden in PURE["forbidden_modules"]]
    for each in planted:
        plant(tmp_path, each)
    _, output = linted(tmp_path)
    assert [each for each in planted if each not in output] == []


def test_a_folder_of_operations_has_its_place_in_the_layers(tmp_path: Path) -> None:
    """One that no layer names would be under no law."""
    packages(tmp_path)
    (tmp_path / "order_operations" / "extra.py").touch()
    status, output = linted(tmp_path)
    assert (status, "order_operations.extra" in output) == (1, True), output


def test_every_service_has_the_same_storeys() -> None:
    """A module that stood beside them would be under no law."""
    root = PYPROJECT.parent / "services"
    for service in SERVICES:
        package = root / service.replace("_", "-") / service
        modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
        folders = {path.parent.name for path in package.glob("*/__init__.py")}
        extra = ({"routes"}, {"http", "api_docs"}) if service == "gateway" else (set(), set())
        assert modules - extra[0] == {"__main__", "settings", "metrics", "log_events"}
        assert folders - extra[1] == {"app", "adapters", "domain"}
