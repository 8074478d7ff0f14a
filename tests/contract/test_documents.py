"""The published documents are what the models say, valid, and true of the gateway."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.domain.urls import Urls
from gateway.http.memory_budget import Memory
from gateway.routes import Dependencies, calls
from order_contracts.errors import STATUS
from order_contracts.specs.examples import NEW_ORDER
from order_contracts.specs.export import main, stale, write
from order_contracts.specs.openapi import document

SCHEMAS = Path(__file__).parents[2] / "schemas"


def openapi() -> Any:
    return json.loads(document())


def parts() -> Dependencies:
    """Return parts with nothing behind them: only the routes are looked at."""
    nothing: Any = SimpleNamespace(jobs=None, enrichments=None)
    links = Urls("https://orders.example.com")
    more = (links, nothing, nothing, Memory(), lambda: False)
    return Dependencies(nothing, nothing, nothing, *more)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a copy of the committed documents."""
    for part in ("json", "examples"):
        shutil.copytree(SCHEMAS / part, tmp_path / part)
    for written in ("openapi.json", "asyncapi.yaml"):
        shutil.copy(SCHEMAS / written, tmp_path)
    return tmp_path


def test_the_committed_documents_are_current() -> None:
    """`make schemas` writes them."""
    assert stale(SCHEMAS) == []


def test_the_check_names_what_differs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Changed, missing, or of a message that is gone."""
    (folder / "openapi.json").write_text("{}")
    (folder / "json" / "Store.v1.schema.json").unlink()
    (folder / "json" / "Gone.v1.schema.json").write_text("{}")
    assert main(folder, check=True) == 1
    told = capsys.readouterr().err
    assert all(name in told for name in ("openapi.json", "Store.v1", "Gone.v1", "make schemas"))


def test_writing_mends_what_differs(folder: Path) -> None:
    (folder / "openapi.json").write_text("{}")
    (folder / "json" / "Gone.v1.schema.json").write_text("{}")
    write(folder)
    assert main(folder, check=True) == 0
    assert not (folder / "json" / "Gone.v1.schema.json").exists()


@pytest.mark.parametrize("path", sorted((SCHEMAS / "json").glob("*.json")), ids=lambda p: p.name)
def test_a_schema_is_valid_and_names_its_message(path: Path) -> None:
    schema = json.loads(path.read_text())
    Draft202012Validator.check_schema(schema)
    assert path.name == f"{schema['title']}.schema.json"


def test_the_openapi_document_is_valid() -> None:
    OpenAPIV31SpecValidator(openapi()).validate()


def test_the_document_has_the_paths_of_the_gateway() -> None:
    """No call is served that isn't described, and none described that isn't served."""
    served = {
        (re.sub(r"\{.*?\}", "{}", path), method.lower())
        for path, methods in calls(parts()).items()
        for method in methods
    }
    described = {
        (re.sub(r"\{.*?\}", "{}", path), method)
        for path, methods in openapi()["paths"].items()
        for method in methods
    }
    assert served == described


def test_every_path_describes_its_parameters() -> None:
    for path, methods in openapi()["paths"].items():
        for operation in methods.values():
            named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
            assert named == set(re.findall(r"\{(.*?)\}", path))


def test_every_error_that_is_described_is_one_of_the_contract() -> None:
    """And under the status that it has."""
    for methods in openapi()["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if "application/problem+json" in answer.get("content", {}):
                    codes = answer["description"].rstrip(".").partition(": ")[2].split(", ")
                    assert {STATUS[code] for code in codes} == {int(status)}


def test_the_example_of_the_document_is_valid_by_it() -> None:
    """Whoever copies it is answered 202."""
    whole = openapi()
    schema = {"$ref": "#/components/schemas/Order", "components": whole["components"]}
    assert list(Draft202012Validator(schema).iter_errors(NEW_ORDER)) == []


def test_the_document_names_the_gateway_that_serves_it() -> None:
    served = json.loads(document("https://shop.example.org"))
    assert served["servers"] == [{"url": "https://shop.example.org"}]
