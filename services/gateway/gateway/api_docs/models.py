"""The models of an OpenAPI document on the reference page: their fields and types. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.api_docs.text import table, text

_LIMITS: Final = (
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
    ("minimum", "maximum", ""),
)
MAX_VALUES: Final = 20  # of an enumeration that are listed; of more only their number is shown


def models(schemas: Mapping[str, Any]) -> str:
    """Return all models with their fields."""
    return "".join(_model(name, schema) for name, schema in schemas.items())


def reference(schema: Mapping[str, Any]) -> str:
    """Return a link to the model of a body."""
    name = _name(schema)
    items = schema.get("items")
    if items:
        return f"array of {reference(items)}"
    return f"<a href=#{name}>{text(name)}</a>" if name else ""


def type_of(schema: Mapping[str, Any]) -> str:
    """Return the type of a value in words, with its limits."""
    if name := _name(schema):
        return f"<a href=#{name}>{text(name)}</a>"
    if "anyOf" in schema:
        types = [type_of(option) for option in schema["anyOf"] if option.get("type") != "null"]
        return " or ".join(dict.fromkeys(types))
    if "enum" in schema:
        return _values(schema["enum"])
    if "const" in schema:
        return f"<code>{text(str(schema['const']))}</code>"
    kind = schema.get("format") or schema.get("type", "any")
    if kind == "array":
        kind = f"array of {type_of(schema.get('items', {}))}"
    return ", ".join([kind, *_limits(schema)])


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _limits(schema: Mapping[str, Any]) -> Iterator[str]:
    for least, most, unit in _LIMITS:
        if least in schema and most in schema:
            yield f"{schema[least]} to {schema[most]}{unit}"
        elif least in schema:
            yield f"at least {schema[least]}{unit}"
        elif most in schema:
            yield f"at most {schema[most]}{unit}"
    if "exclusiveMinimum" in schema:
        yield f"above {schema['exclusiveMinimum']}"


def _values(values: list[str]) -> str:
    if len(values) > MAX_VALUES:
        return f"one of {len(values)} codes, such as <code>{text(values[0])}</code>"
    return ", ".join(f"<code>{text(value)}</code>" for value in values)


def _model(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (
            f"<code>{text(field_name)}</code>",
            type_of(field),
            ", ".join(_marks(field, required=field_name in required)),
            text(field.get("description", "")),
        )
        for field_name, field in schema.get("properties", {}).items()
    ]
    description = text(schema.get("description", ""))
    fields = table(("Field", "Type", "", "Means"), rows) or f"<p>{type_of(schema)}</p>"
    return f"<section><h2 id={name}>{text(name)}</h2><p>{description}</p>{fields}</section>"


def _marks(schema: Mapping[str, Any], *, required: bool) -> list[str]:
    marks = {"required": required, "read only": "readOnly" in schema}
    marks["write only"] = "writeOnly" in schema
    return [mark for mark, holds in marks.items() if holds]
