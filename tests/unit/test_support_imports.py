"""The model and the laws share no code with the system; the shared folders import one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
INDEPENDENT = ("model", "laws")
SYSTEM = (
    *("order_contracts", "order_runtime", "order_operations", "order_stack"),
    *("gateway", "order_writer", "enricher", "action_trigger"),
)
CLIENTS = ("confluent_kafka", "pymongo", "aiohttp", "httpx")
LAYERS = (
    *("growth", "manifests", "builders", "fakes", "harness", "stack", "history"),
    *("model", "laws", "load", "faults", "mutants"),
)
"""A folder of tests/support imports only itself and those before it."""


def imported(path: Path) -> Iterator[str]:
    """Yield the dotted name of each import; of `from a import b` both `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = str(node.module)
            yield from (module, *(f"{module}.{alias.name}" for alias in node.names))


def modules(tests: Path, folder: str) -> list[Path]:
    return sorted((tests / "support" / folder).glob("*.py"))


def dependencies(tests: Path, folder: str) -> set[str]:
    """Return all imports of a folder's modules, and of the shared modules that these import."""
    found, left = set[str](), modules(tests, folder)
    seen = set[Path]()
    while left:
        module = left.pop()
        seen.add(module)
        found.update(imported(module))
        paths = (tests / f"{name.replace('.', '/')}.py" for name in imported(module))
        left += [path for path in paths if path.exists() and path not in seen]
    return found


def not_independent(tests: Path) -> list[str]:
    """Return the imports by which the model or the laws depend on the system or on a client."""
    return [
        f"{folder} -> {name}"
        for folder in INDEPENDENT
        for name in sorted(dependencies(tests, folder))
        if name.split(".")[0] in (*SYSTEM, *CLIENTS)
    ]


def upward(tests: Path) -> list[str]:
    """Return the imports of a folder from one that comes after it."""
    return [
        f"{folder} -> {name}"
        for at, folder in enumerate(LAYERS)
        for module in modules(tests, folder)
        for name in imported(module)
        if name.startswith("support.") and name.split(".")[1] in LAYERS[at + 1 :]
    ]


def test_the_model_and_the_laws_import_neither_services_nor_clients() -> None:
    """
    Else a bug of the system could be one of the model, and no law would find it.
    """
    assert not_independent(TESTS) == []


def test_the_shared_folders_import_one_way() -> None:
    assert upward(TESTS) == []


def test_every_shared_folder_has_a_layer() -> None:
    folders = {path.parent.name for path in (TESTS / "support").rglob("*.py")}
    assert folders <= set(LAYERS)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("model/model", "from order_writer.domain import decide"),
        ("laws/jobs", "import pymongo.database"),
        ("builders/bodies", "def late():\n    import enricher.domain.rules"),
    ],
)
def test_a_dependency_of_the_model_or_the_laws_is_found(
    tmp_path: Path, module: str, text: str
) -> None:
    """
    Also at one remove, and inside a function.
    """
    plant(tmp_path, "model/model", "import support.builders.bodies")
    plant(tmp_path, "builders/bodies", "")
    plant(tmp_path, module, f"from support.builders import bodies\n{text}")
    assert not_independent(tmp_path)


def test_an_import_of_a_later_folder_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "history/history", "from support.laws.all_laws import check")
    assert upward(tmp_path) == [
        "history -> support.laws.all_laws",
        "history -> support.laws.all_laws.check",
    ]


def plant(tests: Path, module: str, text: str) -> None:
    path = tests / "support" / f"{module}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
