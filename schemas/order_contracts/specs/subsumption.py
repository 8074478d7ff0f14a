"""
What one JSON Schema allows and another doesn't, for the part of JSON Schema that models make.

A keyword that is not known here may not change at all: better one question too many.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = Mapping[str, Any]
Gap = tuple[str, str]
"""A pointer into the value (`*` for any item or member), and what changed there."""

_UPPER: Final = ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties")
_LOWER: Final = ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties")
_STRUCTURE: Final = frozenset(
    {"type", "enum", "const", "required", "properties", "items", "additionalProperties"}
    | {"propertyNames", "patternProperties", "anyOf", "$ref", "$defs", "default"}
)
_TOLD: Final = frozenset({"title", "description", "examples", "$schema", "deprecated"})


def lost_fields(old: Schema, new: Schema) -> Iterator[Gap]:
    """Yield the fields that *old* names and *new* doesn't, though an open object allows them."""
    kept = set(_fields(new, new, ""))
    for pointer in dict.fromkeys(_fields(old, old, "")):
        if pointer not in kept:
            yield pointer, "the field is gone"


def gaps(wide: Schema, narrow: Schema, *, wide_is_old: bool) -> Iterator[Gap]:
    """
    Yield what *narrow* allows and *wide* doesn't.

    Fields that only one of the two names are no gap: objects are open.
    """
    return _Comparison(wide, narrow, wide_is_old).gaps(wide, narrow, "")


def _fields(schema: Schema, root: Schema, at: str) -> Iterator[str]:
    for one in _alternatives(schema, root):
        for name, field in one.get("properties", {}).items():
            yield f"{at}/{name}"
            yield from _fields(field, root, f"{at}/{name}")
        for keyword in ("items", "additionalProperties"):
            if keyword in one:
                yield from _fields(_part(one, keyword), root, f"{at}/*")


def _part(schema: Schema, keyword: str) -> Schema:
    """Return a schema inside another; true, as absent, allows anything."""
    part = schema.get(keyword, {})
    return part if isinstance(part, Mapping) else {}


def _resolved(schema: Schema, root: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    target = root["$defs"][schema["$ref"].rpartition("/")[2]]
    beside = {keyword: value for keyword, value in schema.items() if keyword != "$ref"}
    return {**_resolved(target, root), **beside}


def _alternatives(schema: Schema, root: Schema) -> Iterator[Schema]:
    """Yield the schemas of which one must hold, none of them a union or a reference."""
    whole = _resolved(schema, root)
    if "anyOf" not in whole:
        yield whole
        return
    beside = {keyword: value for keyword, value in whole.items() if keyword != "anyOf"}
    for one in whole["anyOf"]:
        yield from _alternatives({**beside, **one}, root)


def _values(schema: Schema) -> list[Any] | None:
    """Return the values that a schema lists, if it does."""
    return [schema["const"]] if "const" in schema else schema.get("enum")


@dataclass(frozen=True, slots=True)
class _Comparison:
    wide_root: Schema
    narrow_root: Schema
    wide_is_old: bool

    def gaps(self, wide: Schema, narrow: Schema, at: str) -> Iterator[Gap]:
        pair = _resolved(wide, self.wide_root), _resolved(narrow, self.narrow_root)
        yield from self._exactly("default", *pair, at)
        wides = list(_alternatives(wide, self.wide_root))
        for one in _alternatives(narrow, self.narrow_root):
            likely = [it for it in wides if it.get("type") == one.get("type")] or wides
            yield from min((list(self._between(it, one, at)) for it in likely), key=len)

    def _between(self, wide: Schema, narrow: Schema, at: str) -> Iterator[Gap]:
        kinds = wide.get("type"), narrow.get("type")
        if kinds[0] not in {None, kinds[1]} and kinds != ("number", "integer"):
            yield at, self._may_be(kinds[1] or "anything")
            return
        yield from self._listed(wide, narrow, at)
        for keyword in (*_UPPER, *_LOWER):
            yield from self._bounded(keyword, wide, narrow, at)
        for keyword in sorted((wide.keys() | narrow.keys()) - _STRUCTURE - _TOLD):
            if keyword not in _UPPER + _LOWER:
                yield from self._exactly(keyword, wide, narrow, at)
        yield from self._object(wide, narrow, at)

    def _listed(self, wide: Schema, narrow: Schema, at: str) -> Iterator[Gap]:
        taken, given = _values(wide), _values(narrow)
        if taken is not None:
            missing = ["anything"] if given is None else [it for it in given if it not in taken]
            yield from ((at, self._may_be(str(it))) for it in missing)

    def _bounded(self, keyword: str, wide: Schema, narrow: Schema, at: str) -> Iterator[Gap]:
        bound, reached = wide.get(keyword), narrow.get(keyword)
        if bound is None:
            return
        beyond = reached is None or (reached > bound if keyword in _UPPER else reached < bound)
        if beyond:
            yield at, self._changed(keyword, bound, reached)

    def _exactly(self, keyword: str, wide: Schema, narrow: Schema, at: str) -> Iterator[Gap]:
        if wide.get(keyword) != narrow.get(keyword):
            yield at, self._changed(keyword, wide.get(keyword), narrow.get(keyword))

    def _object(self, wide: Schema, narrow: Schema, at: str) -> Iterator[Gap]:
        for name in sorted({*wide.get("required", ())} - {*narrow.get("required", ())}):
            yield f"{at}/{name}", f"is {'no longer' if self.wide_is_old else 'now'} required"
        fields, others = wide.get("properties", {}), narrow.get("properties", {})
        for name in sorted(fields.keys() & others.keys()):
            yield from self.gaps(fields[name], others[name], f"{at}/{name}")
        yield from self._patterns(wide, narrow, at)
        for keyword in ("items", "additionalProperties", "propertyNames"):
            closed = [it.get(keyword) is False for it in (wide, narrow)]
            if closed == [True, False]:
                yield at, self._changed(keyword, value=False, other=True)
            elif wide.get(keyword) not in (None, True, False) and not closed[1]:
                yield from self.gaps(_part(wide, keyword), _part(narrow, keyword), f"{at}/*")

    def _patterns(self, wide: Schema, narrow: Schema, at: str) -> Iterator[Gap]:
        """Compare the members whose names match a pattern; the patterns may not change."""
        fields, others = wide.get("patternProperties", {}), narrow.get("patternProperties", {})
        if fields.keys() != others.keys():
            yield from self._exactly("patternProperties", wide, narrow, at)
            return
        for pattern in sorted(fields):
            yield from self.gaps(fields[pattern], others[pattern], f"{at}/*")

    def _may_be(self, what: str) -> str:
        return f"may {'now' if self.wide_is_old else 'no longer'} be {what}"

    def _changed(self, keyword: str, value: object, other: object) -> str:
        """Tell a keyword's value in the wide schema and in the narrow one as before and after."""
        old, new = (value, other) if self.wide_is_old else (other, value)
        return f"{keyword} was {_told(old)}, is {_told(new)}"


def _told(value: object) -> str:
    return "none" if value is None else str(value)
