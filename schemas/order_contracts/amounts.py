"""Decimals of the contract: those that a JSON number carries exactly; the others are rounded."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

MAX_DIGITS: Final = 15  # significant; a JSON number, a double in most readers, carries so many
MAX_DECIMALS: Final = 8
SMALL: Final = 10**9
MAX_MAGNITUDE: Final = 300  # of a number in a free object; a double ends at 308
ROUNDINGS: Final = "roundings"
"""The key of a validation's context under which numbers that were rounded are counted."""

_NUMBER: Final = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,3})?", re.ASCII)


class RoundingCounter:
    """Counts the numbers that one validation rounded; where they are is looked up afterwards."""

    def __init__(self) -> None:
        self.count = 0


def amount(value: object, info: ValidationInfo) -> Decimal:
    """
    Read a JSON number or a string as a decimal that a JSON number carries exactly.

    What has more decimals or digits is rounded. Refused is what has over 15 digits before the
    point.
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
    return _rounded(Decimal(value), info) or Decimal(0)  # type: ignore[arg-type]


def rounded(number: Decimal) -> Decimal:
    """
    Return *number* rounded half-even to 8 decimals and to 15 significant digits.

    Once, to the coarser of the two: rounded twice, 0.5 could become 1.
    """
    finest = max(-MAX_DECIMALS, number.adjusted() - MAX_DIGITS + 1)
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent >= finest:
        return number
    return number.quantize(Decimal((0, (1,), finest)), ROUND_HALF_EVEN)


def json_number(value: Decimal) -> int | float:
    """Return *value* as the number whose shortest form is its text: exact up to 15 digits."""
    number = float(value)
    # A larger one as an int would show digits that nobody sent: 1e23 is 99999999999999991611392.
    short = number.is_integer() and abs(number) < 10**MAX_DIGITS
    return int(number) if short else number


def free_value(value: object, info: ValidationInfo) -> object:
    """
    Return a JSON value whose numbers have at most 15 significant digits.

    Those that have more are rounded as amounts are; the others stay as they came, however large or
    small.
    """
    if isinstance(value, dict):
        return {name: free_value(item, info) for name, item in value.items()}
    if isinstance(value, list):
        return [free_value(item, info) for item in value]
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return _free_number(value, info)
    return value


def _free_number(value: int | Decimal, info: ValidationInfo) -> int | Decimal:
    number = Decimal(value)
    if _significant(number) <= MAX_DIGITS and abs(number.adjusted()) <= MAX_MAGNITUDE:
        return value
    return _rounded(number, info)


def _rounded(number: Decimal, info: ValidationInfo) -> Decimal:
    near = rounded(number)
    if near and near.adjusted() >= MAX_DIGITS:
        raise PydanticCustomError(
            "decimal_digits", "Must have at most 15 digits before the decimal point"
        )
    counter = (info.context or {}).get(ROUNDINGS)
    if counter is not None and near != number:
        counter.count += 1
    return near


def _significant(number: Decimal) -> int:
    return len("".join(map(str, number.as_tuple().digits)).strip("0"))
