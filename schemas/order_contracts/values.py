"""The scalars of the contract: what a name, an amount, a time and a free object may be."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Self

import jiter
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SerializationInfo,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, PydanticKnownError

from order_contracts.currencies import CURRENCIES

MAX_DIGITS: Final = 15  # significant; a JSON number, a double in most readers, carries so many
MAX_DECIMALS: Final = 8
SMALL: Final = 10**9
AHEAD: Final = timedelta(minutes=5)
RESERVED_ORDER_IDS: Final = frozenset({"jobs", "bulk", "check", ".", ".."})
FREE_BYTES: Final = 16 * 1024
FREE_DEPTH: Final = 5

_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]([01]\d|2[0-3]):[0-5]\d:\d\d(\.\d{1,9})?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
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


def exact(value: object) -> Decimal:
    """
    Read a JSON number or a string as a decimal, exactly.

    Refused is what a JSON number could not carry back: over 15 significant digits or 8 decimals.
    """
    if type(value) is Decimal and len(text := str(value)) <= 10 and "E" not in text:
        return value or Decimal(0)  # nearly all are so: too short to break a limit
    if type(value) is int and -SMALL < value < SMALL:
        return Decimal(value)
    if isinstance(value, str):
        written = _NUMBER.fullmatch(value) is not None
    else:
        written = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    if not written:
        raise PydanticCustomError("decimal", "Must be a number, or a string that holds one")
    number = Decimal(value)  # type: ignore[arg-type]
    digits, exponent = _trimmed(number)
    if digits > MAX_DIGITS or exponent < -MAX_DECIMALS or number.adjusted() >= MAX_DIGITS:
        raise PydanticCustomError(
            "decimal_digits", "Must have at most 15 significant digits and 8 decimals"
        )
    return number or Decimal(0)


def _trimmed(number: Decimal) -> tuple[int, int]:
    """Return the count of significant digits and the exponent, trailing zeros left out."""
    _, digits, exponent = number.as_tuple()
    if not isinstance(exponent, int):
        return MAX_DIGITS + 1, 0  # NaN or infinite
    zeros = 0
    if len(digits) > MAX_DIGITS or exponent < -MAX_DECIMALS:
        zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return len(digits) - zeros, exponent + zeros


def json_number(value: Decimal) -> int | float:
    """Return *value* as the number whose shortest form is its text: exact up to 15 digits."""
    number = float(value)
    # A larger one as an int would show digits that nobody sent: 1e23 is 99999999999999991611392.
    short = number.is_integer() and abs(number) < 10**MAX_DIGITS
    return int(number) if short else number


def _time(value: object) -> datetime:
    if not isinstance(value, str):
        if isinstance(value, datetime) and value.tzinfo:
            return _milliseconds(value)
        raise PydanticCustomError("time", "Must be a string: an RFC 3339 time with an offset")
    try:
        if _TIME.fullmatch(value):
            return _milliseconds(datetime.fromisoformat(value.upper()))
    except (ValueError, OverflowError):
        pass
    raise PydanticCustomError("time", "Must be an RFC 3339 time with an offset")


def _milliseconds(value: datetime) -> datetime:
    utc = value.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def rfc3339(value: datetime) -> str:
    """Return *value* in UTC, with `Z` and milliseconds."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _not_ahead(value: datetime, info: ValidationInfo) -> datetime:
    """Refuse a time over five minutes after `context["now"]`; without one, any time goes."""
    now = (info.context or {}).get("now")
    if now is not None and value > now + AHEAD:
        raise PydanticCustomError("ahead", "Must be at most 5 minutes ahead")
    return value


def _day_or_time(value: object) -> str:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
    try:
        return rfc3339(_time(value))
    except PydanticCustomError:
        raise PydanticCustomError("time", "Must be a date or an RFC 3339 time") from None


def _currency(value: object) -> object:
    code = value.upper() if isinstance(value, str) else None
    if code not in CURRENCIES:
        raise PydanticCustomError("currency", "Must be an ISO 4217 currency code")
    return code


def or_default(default: object, taken: object) -> BeforeValidator:
    """Take *default* for null, which is absent; *taken* is the type that the schemas tell."""
    return BeforeValidator(
        lambda value: default if value is None else value, json_schema_input_type=taken
    )


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


def free_json(value: dict[str, Any]) -> str:
    """Return a free object as JSON text, its numbers exact."""
    return json.dumps(value, default=_plain, ensure_ascii=False, separators=(",", ":"))


def _exact_numbers(value: object) -> None:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _exact_numbers(item)
    elif isinstance(value, (int, Decimal)):
        number = Decimal(value)
        if _trimmed_fully(number) > MAX_DIGITS or abs(number.adjusted()) > 300:
            raise PydanticCustomError(
                "decimal_digits", "A number in it has over 15 digits; send it as a string"
            )


def _trimmed_fully(number: Decimal) -> int:
    return len("".join(map(str, number.as_tuple().digits)).strip("0"))


def _free(value: object, info: ValidationInfo) -> object:
    """Bound a free object, or read one that is at rest (`context["at_rest"]`) from its text."""
    if isinstance(value, str) and info.context and info.context.get("at_rest"):
        return jiter.from_json(value.encode(), float_mode="decimal")
    if not isinstance(value, dict):
        raise PydanticCustomError("object", "Must be an object")
    if _depth(value) > FREE_DEPTH:
        raise PydanticCustomError("depth", "Must not be nested deeper than 5 levels")
    _exact_numbers(value)
    if len(free_json(value).encode()) > FREE_BYTES:
        raise PydanticCustomError("too_large", "Must not be larger than 16 KB")
    return value


def _written_free(value: dict[str, Any], info: SerializationInfo) -> Any:
    """Return an object for JSON, but text for Python: keys like `$ref` or `a.b` upset MongoDB."""
    text = free_json(value)
    return json.loads(text) if info.mode_is_json() else text


OrderId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255, pattern=ORDER_ID),
    AfterValidator(_order_id),
]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Text = Annotated[str, StringConstraints(max_length=255)]
OptionalName = Name | None
Text100 = Annotated[str, StringConstraints(max_length=100)]
Text1000 = Annotated[str, StringConstraints(max_length=1000)]
Url = Annotated[str, StringConstraints(max_length=2048, pattern=URL)]
Amount = Annotated[
    Decimal,
    BeforeValidator(exact),
    PlainSerializer(json_number, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number"},
                {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$"},
            ],
            "description": "At most 15 significant digits and 8 decimals.",
        },
        mode="validation",
    ),
    WithJsonSchema({"type": "number"}, mode="serialization"),
]
PositiveAmount = Annotated[
    Amount,
    Field(gt=0),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0},
                {
                    "type": "string",
                    "pattern": r"^(?=[0-9.]*[1-9])[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?$",
                },
            ],
            "description": "Above 0; at most 15 significant digits and 8 decimals.",
        },
        mode="validation",
    ),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}, mode="serialization"),
]
Time = Annotated[
    datetime,
    BeforeValidator(_time),
    PlainSerializer(rfc3339, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
PastTime = Annotated[Time, AfterValidator(_not_ahead)]
DayOrTime = Annotated[
    str,
    BeforeValidator(_day_or_time),
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
Language = Annotated[str, StringConstraints(max_length=35, pattern=LANGUAGE_TAG)]
FreeObject = Annotated[
    dict[str, Any],
    BeforeValidator(_free),
    PlainSerializer(_written_free),
    WithJsonSchema(
        {
            "type": "object",
            "description": "Any object of at most 16 KB and 5 levels, kept as it came.",
        }
    ),
]
