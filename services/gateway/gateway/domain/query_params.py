"""The parameters of a query: each is checked, an unknown one is an error. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from order_contracts.decoding import Invalid
from order_contracts.errors import FieldError
from order_contracts.values import Time

S = TypeVar("S", bound=str)

_TIME: TypeAdapter[datetime] = TypeAdapter(Time)


def invalid_parameter(name: str, message: str) -> Invalid:
    """Return the error of the query parameter *name*."""
    return Invalid((FieldError(pointer=f"/{name}", code="Invalid", message=message),))


def refuse_unknown(given: Iterable[str], names: Iterable[str]) -> None:
    """Refuse unknown and repeated parameters: a misspelt filter must not widen a list."""
    counts, allowed = Counter(given), set(names)
    unknown = [
        FieldError(pointer=f"/{name}", code="Unknown", message="Is not a parameter of this call")
        for name in counts
        if name not in allowed
    ]
    repeated = [
        FieldError(pointer=f"/{name}", code="Repeated", message="Must be given once")
        for name, times in counts.items()
        if name in allowed and times > 1
    ]
    if unknown or repeated:
        raise Invalid((*unknown, *repeated))


def time_in(query: Mapping[str, str], name: str) -> datetime | None:
    """Return a time of the query, if given; a space is read as the `+` that was not escaped."""
    text = query.get(name)
    if text is None:
        return None
    try:
        return _TIME.validate_python(text.strip().replace(" ", "+") if "T" in text else text)
    except ValidationError:
        raise invalid_parameter(name, "Must be an RFC 3339 time with an offset") from None


def choice_in(query: Mapping[str, str], name: str, choices: Iterable[S]) -> S | None:
    """Return the one of *choices* that the query names, in any case; None where it names none."""
    text = query.get(name)
    if text is None:
        return None
    for choice in choices:
        if choice.casefold() == text.casefold():
            return choice
    raise invalid_parameter(name, f"Must be one of {', '.join(choices)}")
