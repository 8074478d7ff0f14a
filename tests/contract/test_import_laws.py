"""The import laws of `pyproject.toml` can fail: each is broken once, in packages made for it."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"
CONFIG: dict[str, Any] = tomllib.loads(PYPROJECT.read_text())["tool"]["importlinter"]
LINTER = Path(sys.executable).with_name("lint-imports")
LIMIT = 60  # seconds

LAYERS, SERVICES, PURE, RULES = CONFIG["contracts"]
PLANTED = [
    (LAYERS, ["order_contracts.extra -> order_runtime", "order_runtime.extra -> gateway"]),
    (SERVICES, ["enricher.extra -> gateway", "order_stack.extra -> order_writer"]),
    (
        PURE,
        [
            "order_writer.domain.decide -> time",
            "order_writer.domain.batch -> order_runtime.mongo.client",
        ],
    ),
    (RULES, ["enricher.domain.rules -> logging"]),
]
"""For each law the imports that break it: also at one remove, where the law says so."""


def packages(folder: Path) -> None:
    """Make empty modules under all names that the laws speak of, and one adapter."""
    named = [*CONFIG["root_packages"], "order_runtime.mongo.client"]
    for law in (PURE, RULES):
        named += law["source_modules"]
    named += [each.partition(" -> ")[0] for _, imports in PLANTED for each in imports]
    for name in named:
        package, _, module = name.partition(".")
        (folder / package).mkdir(exist_ok=True)
        (folder / package / "__init__.py").touch()
        if module:
            (folder / package / f"{module}.py").touch()
    (folder / "order_runtime" / "mongo.py").write_text("import pymongo\n")


def plant(folder: Path, broken: str) -> None:
    module, _, imported = broken.partition(" -> ")
    path = folder / f"{module.replace('.', '/')}.py"
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
    status, told = linted(tmp_path)
    assert (status, told.count("KEPT")) == (0, len(CONFIG["contracts"])), told


@pytest.mark.parametrize(("law", "imports"), PLANTED, ids=["layers", "services", "pure", "rules"])
def test_a_law_fails_where_it_is_broken(
    tmp_path: Path, law: dict[str, Any], imports: list[str]
) -> None:
    packages(tmp_path)
    for each in imports:
        plant(tmp_path, each)
    status, told = linted(tmp_path)
    assert status == 1, told
    assert (f"{law['name']} BROKEN" in told, told.count("BROKEN")) == (True, 1), told
    assert [each for each in imports if each not in told] == []


def test_every_pure_module_is_watched_and_every_client_forbidden(tmp_path: Path) -> None:
    """Not only those that happened to be planted above."""
    packages(tmp_path)
    planted = []
    for law in (PURE, RULES):
        watched = [module for module in law["source_modules"] if "." in module]
        planted += [f"{module} -> os" for module in watched[:-1]]
        planted += [f"{watched[-1]} -> {forbidden}" for forbidden in law["forbidden_modules"]]
    for each in planted:
        plant(tmp_path, each)
    _, told = linted(tmp_path)
    assert [each for each in planted if each not in told] == []
