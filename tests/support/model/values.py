"""The contract's rules for single values: numbers, times and nulls. Pure; imports no service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

Json = dict[str, Any]

FREE: Final = frozenset({"extraData", "data"})
CHARGES: Final = frozenset({"payments", "fees", "discounts"})
"""Fields whose items are free objects; of a line, `discounts` is itself the list of them."""
MAX_KEPT: Final = 100
"""Digits of a fraction that are kept."""


def contract_time(time: str) -> str:
    """Return a time to the millisecond, as it is answered."""
    return f"{second_of(time):%Y-%m-%dT%H:%M:%S}.{fraction_of(time):0<3.3}Z"


def exact_time(time: str) -> str:
    """Return a time in UTC with the digits that were sent."""
    fraction = fraction_of(time)[:MAX_KEPT]
    return f"{second_of(time):%Y-%m-%dT%H:%M:%S}{'.' if fraction else ''}{fraction}Z"


def second_of(time: str) -> datetime:
    """Return the second of a time, in UTC; a leap second belongs to the one before it."""
    second = re.sub(r"\.\d+", "", time.upper())
    return datetime.fromisoformat(re.sub(r":60(?=[Z+-])", ":59", second)).astimezone(UTC)


def fraction_of(time: str) -> str:
    """Return the digits of a time's fraction; a leap second is the last instant of a second."""
    if re.search(r":60(\.\d+)?(?=[Zz+-])", time[16:]):
        return "9" * 9
    found = re.search(r"\.(\d+)", time)
    return found[1] if found else ""


def digits_of(time: str) -> tuple[str, str]:
    """Return a time in UTC as parts that sort as times do."""
    second, _, fraction = time.removesuffix("Z").partition(".")
    return second, fraction.rstrip("0")


def kept_value(value: Any, *, free: bool = False) -> Any:
    """Return JSON as it is kept: without nulls, numbers rounded; free objects keep their nulls."""
    if isinstance(value, dict):
        return {
            name: _kept_member(name, item, free=free)
            for name, item in value.items()
            if free or item is not None
        }
    if isinstance(value, list):
        return [kept_value(item, free=free) for item in value if free or item is not None]
    return rounded(value, free=free)


def _kept_member(name: str, value: Any, *, free: bool) -> Any:
    if not free and name in CHARGES and isinstance(value, dict):
        items = {"items": _free_items(value["items"])} if value.get("items") is not None else {}
        return kept_value(value) | items
    if not free and name == "discounts" and isinstance(value, list):
        return _free_items(value)
    return kept_value(value, free=free or name in FREE)


def _free_items(items: list[Any]) -> list[Any]:
    return [kept_value(item, free=True) for item in items if item is not None]


def rounded(value: Any, *, free: bool) -> Any:
    """Return a number half-even to 8 decimals and 15 digits, in one rounding."""
    if not isinstance(value, Decimal | float):
        return value
    number = Decimal(str(value))
    digits = len(number.normalize(Context(prec=500)).as_tuple().digits)
    if digits <= 15 and (free or number == number.quantize(Decimal("1e-8"), context=_WIDE)):
        return value
    places = min(8, 14 - number.adjusted())
    return number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, context=_WIDE)


_WIDE: Final = Context(prec=500)


def count_rounded(given: Any, kept: Any) -> int:
    """Return how many numbers of *given*, without nulls, differ in *kept*."""
    return sum(1 for one, other in _pairs(given, kept) if one != other)


def _pairs(given: Any, kept: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(given, dict):
        for name in kept:
            yield from _pairs(given[name], kept[name])
    elif isinstance(given, list):
        items = given if len(given) == len(kept) else [it for it in given if it is not None]
        for one, other in zip(items, kept, strict=True):
            yield from _pairs(one, other)
    elif isinstance(given, Decimal | float):
        yield given, kept
