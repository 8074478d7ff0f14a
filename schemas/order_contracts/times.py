"""Times of the contract: read as RFC 3339 has them, kept to the millisecond or with every digit."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

AHEAD: Final = timedelta(minutes=5)
MAX_FRACTION: Final = 100
"""Digits of a second's fraction that are kept; further ones are cut off."""

_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ]((?:[01]\d|2[0-3]):[0-5]\d):([0-5]\d|60)(?:\.(\d+))?"
    r"([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII,
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LAST_INSTANT: Final = "9" * 9


@lru_cache(maxsize=4_096)
def rfc3339(value: datetime) -> str:
    """Return *value* in UTC, with `Z` and milliseconds; remembered, since records share times."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(value: object) -> datetime:
    """Read a time to the millisecond; what follows is cut off."""
    if isinstance(value, datetime) and value.tzinfo:
        utc = value.astimezone(UTC)
        return utc.replace(microsecond=utc.microsecond // 1000 * 1000)
    second, fraction = _parsed(value)
    return second.replace(microsecond=int(f"{fraction:0<3.3}") * 1000)


def exact_time(value: object) -> str:
    """Read a time with all of its digits: as RFC 3339 text in UTC that has the digits given."""
    if isinstance(value, datetime) and value.tzinfo:
        return rfc3339(milliseconds(value))
    second, fraction = _parsed(value)
    point = "." if fraction else ""
    return f"{second.replace(tzinfo=None).isoformat()}{point}{fraction[:MAX_FRACTION]}Z"


def is_before(one: str | datetime, other: str | datetime) -> bool:
    """Return whether *one* is earlier than *other*, by every digit of both; each is in UTC."""
    return _comparable(one) < _comparable(other)


def moment(exact: str) -> datetime:
    """Return an exact time to the millisecond."""
    return milliseconds(exact)


def not_ahead(value: datetime, info: ValidationInfo) -> datetime:
    """Refuse a time over five minutes after `context["now"]`; without one, any time goes."""
    now = (info.context or {}).get("now")
    if now is not None and value > now + AHEAD:
        raise PydanticCustomError("ahead", "Must be at most 5 minutes ahead")
    return value


def exact_not_ahead(value: str, info: ValidationInfo) -> str:
    """As `not_ahead`, for an exact time."""
    not_ahead(moment(value), info)
    return value


def day_or_time(value: object) -> str:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return date.fromisoformat(value).isoformat()
        except ValueError:
            pass
    try:
        return rfc3339(milliseconds(value))
    except PydanticCustomError:
        raise PydanticCustomError("time", "Must be a date or an RFC 3339 time") from None


def _parsed(value: object) -> tuple[datetime, str]:
    """
    Return the second, in UTC, and the digits of its fraction.

    `:60`, a leap second, is the last instant of the second before it: clocks have no other place
    for it.
    """
    if not isinstance(value, str):
        raise PydanticCustomError("time", "Must be a string: an RFC 3339 time with an offset")
    if (found := _TIME.fullmatch(value)) is not None:
        day, minute, second, fraction, offset = found.groups()
        if second == "60":
            second, fraction = "59", _LAST_INSTANT
        try:
            at = datetime.fromisoformat(f"{day}T{minute}:{second}{offset.upper()}")
            return at.astimezone(UTC), fraction or ""
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("time", "Must be an RFC 3339 time with an offset")


def _comparable(value: str | datetime) -> str:
    """Return text that sorts as the times do: trailing zeros of a fraction mean nothing."""
    text = (rfc3339(value) if isinstance(value, datetime) else value).removesuffix("Z")
    return text.rstrip("0") if "." in text else f"{text}."
