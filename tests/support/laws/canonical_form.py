"""
The canonical form of orders, to compare stored documents with the model. Pure.

Numbers have no trailing zeros, times have the format of the contract, names are in lower camel
case, and free objects that are stored as text are parsed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Final

from bson import Decimal128

FREE_LISTS: Final = frozenset({"items", "discounts"})
"""Members that may hold free objects, which are stored as text."""


def canonical(value: Any) -> Any:
    """Return the canonical form of an order, stored or sent; null members are left out."""
    match value:
        case Mapping():
            return {
                camel(name): _member(camel(name), item)
                for name, item in value.items()
                if item is not None
            }
        case list() | tuple():
            return [canonical(item) for item in value]
        case datetime():
            return time_text(value)
        case bool():
            return value
        case int() | float() | Decimal() | Decimal128():
            return number(value)
        case _:
            return value


def _member(name: str, value: Any) -> Any:
    if name in FREE_LISTS and isinstance(value, list):
        return [_free(item) for item in value]
    if name in {"extraData", "data"}:
        return _free(value)
    return canonical(value)


def _free(value: Any) -> Any:
    """Return a free object; the names of its members aren't changed."""
    if isinstance(value, str) and value.startswith("{"):
        value = json.loads(value, parse_float=Decimal)
        return {name: _plain(item) for name, item in value.items()}
    return canonical(value)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return canonical(value)


def number(value: float | Decimal | Decimal128) -> str:
    exact = value.to_decimal() if isinstance(value, Decimal128) else Decimal(str(value))
    return format(exact.normalize(), "f")


def time_text(at: datetime) -> str:
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


@cache
def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
