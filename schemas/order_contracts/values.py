"""The scalars of the contract: what a name, an amount, a time and a free object may be."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Self

import jiter
from pydantic import (
    AfterValidator,
    BeforeValidator,
    PlainSerializer,
    SerializationInfo,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import (
    PydanticCustomError,
    PydanticKnownError,
)

from order_contracts.amounts import amount, free_value, json_number
from order_contracts.currencies import CURRENCIES
from order_contracts.texts import is_blank
from order_contracts.times import (
    day_or_time,
    exact_not_ahead,
    exact_time,
    milliseconds,
    not_ahead,
    rfc3339,
)

RESERVED_ORDER_IDS: Final = frozenset({"jobs", "bulk", "check", ".", ".."})
FREE_BYTES: Final = 16 * 1024
FREE_DEPTH: Final = 5

ENTITY_TAGS: Final = r'^(\*|(W/)?"[\x21\x23-\x7e]*"(\s*,\s*(W/)?"[\x21\x23-\x7e]*")*)$'
"""The header If-Match: `*`, or versionTags in quotes."""
URL: Final = r"^[hH][tT][tT][pP][sS]?://[^\s\x00-\x1f]+$"
FIELD_NAME: Final = r"^[A-Za-z][A-Za-z0-9]*$"
ORDER_ID: Final = r"^[^/\x00-\x1f\x7f-\x9f]+$"
LANGUAGE_TAG: Final = (
    r"^([A-Za-z]{2,3}(-[A-Za-z]{3}){0,3}|[A-Za-z]{4,8})(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?"
    r"(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*(-[0-9A-WY-Za-wy-z](-[A-Za-z0-9]{2,8})+)*"
    r"(-x(-[A-Za-z0-9]{1,8})+)?$"
)


_UNDERSCORED_TAG: Final = LANGUAGE_TAG.replace("(-", "([-_]")


class Choice(StrEnum):
    """An enumeration that is read in any case and written in one."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        wanted = value.casefold() if isinstance(value, str) else None
        return next((member for member in cls if member.casefold() == wanted), None)


def _order_id(value: str) -> str:
    if value in RESERVED_ORDER_IDS:
        raise PydanticCustomError("reserved", "This id is reserved")
    return value


def _currency(value: object) -> object:
    code = value.upper() if isinstance(value, str) else None
    if code not in CURRENCIES:
        raise PydanticCustomError("currency", "Must be an ISO 4217 currency code")
    return code


def _quantity(value: Decimal, info: ValidationInfo) -> Decimal:
    """Return what a line counts: of a Return, of which it may be negative, the absolute value."""
    counted = value if info.data.get("type") == "Purchase" else abs(value)
    if counted <= 0:
        raise PydanticKnownError("greater_than", {"gt": 0})
    return counted


def _with_hyphens(value: object) -> object:
    return value.replace("_", "-") if isinstance(value, str) else value


def _seen(value: str) -> str:
    if is_blank(value):
        raise PydanticCustomError("blank", "Must not be blank")
    return value


def _seen_at_the_door(value: str, info: ValidationInfo) -> str:
    """Refuse a blank name where its sender can correct it: what was accepted stays readable."""
    return _seen(value) if (info.context or {}).get("door") else value


def at_most(count: int) -> BeforeValidator:
    """Refuse what is too long before its items are looked at, of which each may be wrong."""

    def bounded(value: object) -> object:
        if isinstance(value, list | tuple | dict) and len(value) > count:
            kind = "Dictionary" if isinstance(value, dict) else "Tuple"
            said = {"field_type": kind, "max_length": count, "actual_length": len(value)}
            raise PydanticKnownError("too_long", said)
        return value

    return BeforeValidator(bounded)


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _plain(value: object) -> int | float:
    if isinstance(value, Decimal):
        return json_number(value)
    raise TypeError


class JsonText(str):
    """JSON as text."""

    __slots__ = ()


def free_json(value: dict[str, Any]) -> str:
    """Return a free object as JSON text, its numbers exact."""
    return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"))


def _free(value: object, info: ValidationInfo) -> object:
    """Bound a free object, or read one that is at rest (`context["at_rest"]`) from its text."""
    if isinstance(value, str) and info.context and info.context.get("at_rest"):
        return jiter.from_json(value.encode(), float_mode="decimal")
    if not isinstance(value, dict):
        raise PydanticCustomError("object", "Must be an object")
    if _depth(value) > FREE_DEPTH:
        raise PydanticCustomError("depth", "Must not be nested deeper than 5 levels")
    kept = free_value(value, info)
    assert isinstance(kept, dict)  # noqa: S101  as *value* is
    if len(free_json(kept).encode()) > FREE_BYTES:
        raise PydanticCustomError("too_large", "Must not be larger than 16 KB")
    return kept


def _written_free(value: dict[str, Any], info: SerializationInfo) -> Any:
    """Return an object for JSON, but text for Python: keys like `$ref` or `a.b` upset MongoDB."""
    text = free_json(value)
    return json.loads(text) if info.mode_is_json() else JsonText(text)


OrderId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255, pattern=ORDER_ID),
    AfterValidator(_order_id),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Text = Annotated[str, StringConstraints(max_length=255)]
OptionalName = Name | None
SeenName = Annotated[Name, AfterValidator(_seen)]
"""A name that is more than blanks and invisible marks."""
MatchKey = Annotated[Name, AfterValidator(_seen_at_the_door)]
Text100 = Annotated[str, StringConstraints(max_length=100)]
Text1000 = Annotated[str, StringConstraints(max_length=1000)]
Url = Annotated[str, StringConstraints(max_length=2048, pattern=URL)]
Amount = Annotated[
    Decimal,
    BeforeValidator(amount),
    PlainSerializer(json_number, return_type=Any, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number"},
                {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"},
            ],
            "description": "Rounded half-even to 8 decimals and to 15 significant digits; at most "
            "15 digits before the point.",
        },
        mode="validation",
    ),
    WithJsonSchema({"type": "number"}, mode="serialization"),
]
Quantity = Annotated[
    Amount,
    AfterValidator(_quantity),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {
                    "type": "string",
                    "pattern": r"^(?=[0-9.]*[1-9])[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$",
                },
                {"type": "number", "exclusiveMaximum": 0},
                {
                    "type": "string",
                    "pattern": r"^-(?=[0-9.]*[1-9])[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$",
                },
            ],
            "description": "Above 0; a Return line may have it negative, its absolute value "
            "counts. Rounded as amounts are.",
        },
        mode="validation",
    ),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}, mode="serialization"),
]
Time = Annotated[
    datetime,
    BeforeValidator(milliseconds),
    PlainSerializer(rfc3339, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
PastTime = Annotated[Time, AfterValidator(not_ahead)]
ExactPastTime = Annotated[
    str,
    BeforeValidator(exact_time),
    AfterValidator(exact_not_ahead),
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "description": "Kept, compared and answered with the digits that were sent.",
        }
    ),
]
DayOrTime = Annotated[
    str,
    BeforeValidator(day_or_time),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date"},
                {"type": "string", "format": "date-time"},
            ]
        }
    ),
]
Currency = Annotated[
    str,
    BeforeValidator(_currency),
    WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES)}),
]
Language = Annotated[
    str,
    StringConstraints(max_length=35, pattern=LANGUAGE_TAG),
    BeforeValidator(_with_hyphens),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": 35, "pattern": LANGUAGE_TAG},
                {"type": "string", "maxLength": 35, "pattern": _UNDERSCORED_TAG},
            ],
            "description": "A language tag (BCP 47); underscores are read as hyphens.",
        },
        mode="validation",
    ),
]
FreeObject = Annotated[
    dict[str, Any],
    BeforeValidator(_free),
    PlainSerializer(_written_free),
    WithJsonSchema(
        {
            "type": "object",
            "description": "Any object of at most 16 KB and 5 levels, kept as it came, but for "
            "numbers of over 15 digits: they are rounded as amounts are.",
        }
    ),
]
