"""The golden examples: laws over the folder, so that an example that is added is tested."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from order_contracts.base import Message
from order_contracts.decoding import Invalid, parse, read
from order_contracts.specs.export import messages

SCHEMAS = Path(__file__).parents[2] / "schemas"
EXAMPLES = SCHEMAS / "examples"
MESSAGES = {str(name): model for name, (model, _) in messages().items()}
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def examples(verdict: str) -> list[Any]:
    paths = sorted(EXAMPLES.glob(f"*/{verdict}/*.json"))
    return [pytest.param(path, id=f"{kind_of(path)}-{path.stem}") for path in paths]


def kind_of(path: Path) -> str:
    return path.parent.parent.name


def model_of(path: Path) -> type[Message]:
    return MESSAGES[kind_of(path)]


def strictly(path: Path) -> Message:
    return read(model_of(path), parse(path.read_bytes()), strict=True, now=NOW)


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every object that a schema describes."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for part in schema.values():
            yield from objects(part)


def test_every_message_has_examples() -> None:
    """And no example is of a message that is none: it would never be tested."""
    for verdict in ("accepted", "refused"):
        shown = {kind_of(path) for path in EXAMPLES.glob(f"*/{verdict}/*.json")}
        assert shown == set(MESSAGES)


@pytest.mark.parametrize("path", examples("accepted"))
def test_an_accepted_example_is_read_strictly(path: Path) -> None:
    assert strictly(path)


@pytest.mark.parametrize("path", examples("accepted"))
def test_an_accepted_example_is_valid_by_the_published_schema(path: Path) -> None:
    """Who builds against the schema is not refused, formats included."""
    schema = json.loads((SCHEMAS / "json" / f"{kind_of(path)}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    assert [] == [error.message for error in validator.iter_errors(json.loads(path.read_text()))]


@pytest.mark.parametrize("path", examples("accepted"))
def test_an_accepted_example_survives_being_sent_on(path: Path) -> None:
    """What the gateway publishes is what the next one reads: nothing is refused on the way."""
    message = strictly(path)
    again = read(model_of(path), parse(message.to_json()), strict=True, now=NOW)
    assert (again, again.to_json()) == (message, message.to_json())


@pytest.mark.parametrize("path", examples("accepted"))
def test_a_consumer_passes_over_what_it_does_not_know(path: Path) -> None:
    """So that a publisher may know a field more than we do."""
    newer = parse(path.read_bytes()) | {"fieldOfTheFuture": {"a": [1]}}
    assert read(model_of(path), newer) == strictly(path)


@pytest.mark.parametrize("path", examples("accepted"))
def test_the_door_refuses_what_it_does_not_know(path: Path) -> None:
    """A misspelt field is not lost in silence."""
    with pytest.raises(Invalid) as refused:
        read(model_of(path), parse(path.read_bytes()) | {"fieldOfTheFuture": 1}, strict=True)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [
        ("/fieldOfTheFuture", "Unknown")
    ]


@pytest.mark.parametrize("path", examples("refused"))
def test_a_refused_example_is_refused_for_all_that_is_wrong(path: Path) -> None:
    """Every error at once, each where it is, and none that is not there."""
    example = parse(path.read_bytes())
    with pytest.raises(Invalid) as refused:
        read(model_of(path), example["body"], strict=True, now=NOW)
    told = [{"pointer": error.pointer, "code": error.code} for error in refused.value.errors]
    assert told == example["errors"]


@pytest.mark.parametrize("path", examples("refused"))
def test_a_refusal_speaks_to_the_sender(path: Path) -> None:
    """In the words of JSON, not of our models; and it never repeats what was sent."""
    body = parse(path.read_bytes())["body"]
    with pytest.raises(Invalid) as refused:
        read(model_of(path), body, strict=True, now=NOW)
    for error in refused.value.errors:
        assert not set(error.message.lower().split()) & {"tuple", "dictionary", "instance", "input"}


def test_no_schema_forbids_unknown_fields() -> None:
    """Consumers tolerate them, so a message that carries one is valid."""
    for path in (SCHEMAS / "json").glob("*.json"):
        for described in objects(json.loads(path.read_text())):
            assert described.get("additionalProperties") is not False, path.name
