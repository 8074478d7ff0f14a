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
MANY: Final = 20  # values of an enumeration, beyond which they are only counted


def models(schemas: Mapping[str, Any]) -> str:
    """Return all models with their fields."""
    return "".join(_model(name, schema) for name, schema in schemas.items())


def reference(schema: Mapping[str, Any]) -> str:
    """Return a link to the model of a body."""
    name = _name(schema)
    many = schema.get("items")
    if many:
        return f"array of {reference(many)}"
    return f"<a href=#{name}>{text(name)}</a>" if name else ""


def type_of(schema: Mapping[str, Any]) -> str:
    """Return the type of a value in words, its limits included."""
    if name := _name(schema):
        return f"<a href=#{name}>{text(name)}</a>"
    if "anyOf" in schema:
        told = [type_of(one) for one in schema["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(told))
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
    for least, most, of in _LIMITS:
        if least in schema and most in schema:
            yield f"{schema[least]} to {schema[most]}{of}"
        elif least in schema:
            yield f"at least {schema[least]}{of}"
        elif most in schema:
            yield f"at most {schema[most]}{of}"
    if "exclusiveMinimum" in schema:
        yield f"above {schema['exclusiveMinimum']}"


def _values(values: list[str]) -> str:
    if len(values) > MANY:
        return f"one of {len(values)} codes, such as <code>{text(values[0])}</code>"
    return ", ".join(f"<code>{text(value)}</code>" for value in values)


def _model(name: str, schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    rows = [
        (
            f"<code>{text(field)}</code>",
            type_of(of),
            ", ".join(_marks(of, required=field in required)),
            text(of.get("description", "")),
        )
        for field, of in schema.get("properties", {}).items()
    ]
    told = text(schema.get("description", ""))
    fields = table(("Field", "Type", "", "Means"), rows) or f"<p>{type_of(schema)}</p>"
    return f"<section><h2 id={name}>{text(name)}</h2><p>{told}</p>{fields}</section>"


def _marks(schema: Mapping[str, Any], *, required: bool) -> list[str]:
    marks = {"required": required, "read only": "readOnly" in schema}
    marks["write only"] = "writeOnly" in schema
    return [mark for mark, holds in marks.items() if holds]
