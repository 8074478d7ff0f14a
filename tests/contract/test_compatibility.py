"""The gate for breaking changes: each rule seen to fail, and to name message, place and reason."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from order_contracts.specs.compatibility import breaches, broken, changed_examples, main, release

SCHEMAS = Path(__file__).parents[2] / "schemas"
Change = Callable[[Any], object]

CODE = {"enum": ["A", "B"], "type": "string"}
FIRST: dict[str, Any] = {
    "$defs": {
        "Code": CODE,
        "Item": {
            "type": "object",
            "properties": {"sku": {"type": "string"}, "code": {"$ref": "#/$defs/Code"}},
            "required": ["sku"],
        },
    },
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 10, "minLength": 2, "pattern": "^a"},
        "note": {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}], "default": None},
        "kind": {"$ref": "#/$defs/Code", "default": "A"},
        "amount": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string"}]},
        "items": {"type": "array", "items": {"$ref": "#/$defs/Item"}, "maxItems": 5, "minItems": 1},
        "more": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["name", "items"],
}


def changed(change: Change) -> Any:
    schema = copy.deepcopy(FIRST)
    change(schema)
    return schema


def field(name: str, **keywords: Any) -> Change:
    """Return a change that sets keywords of a field; None takes one away."""

    def change(schema: Any) -> None:
        for keyword, value in keywords.items():
            schema["properties"][name].pop(keyword, None)
            if value is not None:
                schema["properties"][name][keyword] = value

    return change


def item(change: Change) -> Change:
    return lambda schema: change(schema["$defs"]["Item"])


NARROWED: dict[str, tuple[Change, str, str]] = {
    "shorter": (field("name", maxLength=5), "/name", "maxLength was 10, is 5"),
    "longer at least": (field("name", minLength=3), "/name", "minLength was 2, is 3"),
    "other pattern": (field("name", pattern="^b"), "/name", "pattern was ^a, is ^b"),
    "new format": (field("name", format="uuid"), "/name", "format was none, is uuid"),
    "new limit": (field("more", maxProperties=3), "/more", "maxProperties was none, is 3"),
    "required": (lambda s: s["required"].append("note"), "/note", "is now required"),
    "no null": (field("note", anyOf=[{"type": "string"}]), "/note", "may no longer be null"),
    "other type": (field("more", type="string"), "/more", "may no longer be object"),
    "integer": (field("name", type="integer"), "/name", "may no longer be string"),
    "fewer codes": (lambda s: s["$defs"]["Code"]["enum"].remove("B"), "/kind", "no longer be B"),
    "one code": (field("name", const="a"), "/name", "may no longer be anything"),
    "fewer items": (field("items", maxItems=4), "/items", "maxItems was 5, is 4"),
    "an item's field": (
        item(lambda it: it["properties"]["sku"].update(maxLength=3)),
        "/items/*/sku",
        "maxLength was none, is 3",
    ),
    "an item's need": (
        item(lambda it: it["required"].append("code")),
        "/items/*/code",
        "is now required",
    ),
    "narrower member": (
        field("more", additionalProperties={"type": "string", "maxLength": 1}),
        "/more/*",
        "maxLength was none, is 1",
    ),
    "closed": (
        lambda s: s.update(additionalProperties=False),
        "",
        "additionalProperties was True, is False",
    ),
    "union narrowed": (
        field("amount", anyOf=[{"type": "number", "minimum": 1}, {"type": "string"}]),
        "/amount",
        "minimum was 0, is 1",
    ),
}
"""Changes that a message which we read doesn't survive, and whose reversal one we write doesn't."""

EITHER_WAY: dict[str, tuple[Change, str, str]] = {
    "field gone": (lambda s: s["properties"].pop("note"), "/note", "the field is gone"),
    "item's field gone": (
        item(lambda it: it["properties"].pop("code")),
        "/items/*/code",
        "the field is gone",
    ),
    "other default": (field("kind", default="B"), "/kind", "default was A, is B"),
    "unknown keyword": (field("name", multipleOf=2), "/name", "multipleOf was none, is 2"),
}

COMPATIBLE_TO_READ: dict[str, Change] = {
    "new optional field": lambda s: s["properties"].update(extra={"type": "string"}),
    "longer": field("name", maxLength=11),
    "no limit": field("items", maxItems=None),
    "one more code": lambda s: s["$defs"]["Code"]["enum"].append("C"),
    "no longer required": lambda s: s["required"].remove("name"),
    "null too": field("name", type=None, anyOf=[{"type": "string"}, {"type": "null"}]),
    "other words": field("name", description="What it is called.", title="N"),
}

COMPATIBLE_TO_WRITE: dict[str, Change] = {
    "new field": lambda s: s["properties"].update(extra={"type": "string"}),
    "new required field": lambda s: (
        s["properties"].update(extra={"type": "string"}),
        s["required"].append("extra"),
    ),
    "shorter": field("name", maxLength=9),
    "one code less": lambda s: s["$defs"]["Code"]["enum"].remove("B"),
    "integers": field("amount", anyOf=[{"type": "integer", "minimum": 0}]),
}


@pytest.mark.parametrize("case", [*NARROWED, *EITHER_WAY])
def test_what_we_read_may_not_be_narrowed(case: str) -> None:
    """Whoever sends what was accepted must not be refused, nor be taken otherwise."""
    change, pointer, words = (NARROWED | EITHER_WAY)[case]
    found = breaches("M.v1", FIRST, changed(change), read=True)
    assert [it for it in found if it.pointer == pointer and words in it.change], found
    assert str(found[0]).startswith("M.v1 /")


@pytest.mark.parametrize("case", NARROWED)
def test_what_we_write_may_not_be_widened(case: str) -> None:
    """Readers must not meet what they never met: the same changes, the other way round."""
    change, pointer, _ = NARROWED[case]
    found = breaches("M.v1", changed(change), FIRST, read=False)
    assert pointer in {it.pointer for it in found}, found


@pytest.mark.parametrize("case", EITHER_WAY)
def test_what_we_write_keeps_its_fields(case: str) -> None:
    change, pointer, words = EITHER_WAY[case]
    found = breaches("M.v1", FIRST, changed(change), read=False)
    assert [it for it in found if it.pointer == pointer and words in it.change], found


@pytest.mark.parametrize("case", COMPATIBLE_TO_READ)
def test_what_we_read_may_be_widened(case: str) -> None:
    assert breaches("M.v1", FIRST, changed(COMPATIBLE_TO_READ[case]), read=True) == []


@pytest.mark.parametrize("case", COMPATIBLE_TO_WRITE)
def test_what_we_write_may_be_narrowed_and_added_to(case: str) -> None:
    assert breaches("M.v1", FIRST, changed(COMPATIBLE_TO_WRITE[case]), read=False) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a copy of the schemas, the examples and what was released of them."""
    for part in ("json", "examples", "released"):
        shutil.copytree(SCHEMAS / part, tmp_path / part)
    return tmp_path


def edit(path: Path, change: Change) -> None:
    schema = json.loads(path.read_text())
    change(schema)
    path.write_text(json.dumps(schema))


def test_nothing_that_was_released_is_broken() -> None:
    assert [str(breach) for breach in broken(SCHEMAS)] == []
    assert changed_examples(SCHEMAS) == []


def test_every_message_is_guarded() -> None:
    """`make released` takes in a new one."""
    assert {path.name for path in (SCHEMAS / "released").glob("*.json")} == {
        path.name for path in (SCHEMAS / "json").glob("*.json")
    }


def test_the_gate_names_a_command_and_an_event(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A narrowed command breaks its senders; a field that an event lost, its readers."""
    edit(
        folder / "json" / "RegisterOrder.v1.schema.json", lambda s: s["required"].append("channel")
    )
    edit(folder / "json" / "OrderDeleted.v1.schema.json", lambda s: s["properties"].pop("version"))
    (folder / "json" / "Store.v1.schema.json").unlink()
    assert main(folder, releasing=True) == 1
    told = capsys.readouterr().err
    assert "RegisterOrder.v1 /channel: is now required: what was accepted" in told
    assert "OrderDeleted.v1 /version: the field is gone: its readers" in told
    assert "Store.v1 /: the message is gone" in told
    assert broken(folder), "what breaks is not taken for released"


def test_an_example_that_was_released_may_not_change(folder: Path) -> None:
    changed_one, gone = sorted((folder / "examples").glob("*/accepted/*.json"))[:2]
    changed_one.write_text("{}")
    gone.unlink()
    names = [path.relative_to(folder).as_posix() for path in (changed_one, gone)]
    assert changed_examples(folder) == names
    assert main(folder, releasing=False) == 1


def test_what_is_new_is_released_with_the_rest(folder: Path) -> None:
    (folder / "examples" / "Store.v1" / "accepted" / "another.json").write_text("{}")
    edit(folder / "json" / "Store.v1.schema.json", lambda s: s["properties"].update(city={}))
    assert main(folder, releasing=True) == 0
    assert "city" in (folder / "released" / "Store.v1.schema.json").read_text()
    assert "another.json" in (folder / "released" / "examples.sha256").read_text()


def test_the_first_release_needs_no_former_one(tmp_path: Path) -> None:
    for part in ("json", "examples"):
        shutil.copytree(SCHEMAS / part, tmp_path / part)
    assert main(tmp_path, releasing=True) == 0
    release(tmp_path)
    assert broken(tmp_path) == []
