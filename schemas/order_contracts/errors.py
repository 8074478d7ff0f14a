"""What can be wrong: the codes, one entry of a list of errors, and why a command failed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from types import MappingProxyType
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from order_contracts.base import Message
from order_contracts.values import FIELD_NAME, LANGUAGE_TAG, ORDER_ID, URL

STATUS: Final = MappingProxyType(
    {
        "ValidationFailed": 400,
        "Unauthorized": 401,
        "Forbidden": 403,
        "OrderNotFound": 404,
        "JobNotFound": 404,
        "NotFound": 404,
        "MethodNotAllowed": 405,
        "NotAcceptable": 406,
        "RequestTimeout": 408,
        "OrderExists": 409,
        "IdReused": 409,
        "JobExpired": 410,
        "VersionMismatch": 412,
        "TooLarge": 413,
        "UnsupportedMediaType": 415,
        "ContactMissing": 422,
        "IdempotencyKeyReused": 422,
        "RateLimited": 429,
        "HeadersTooLarge": 431,
        "InternalError": 500,
        "Overloaded": 503,
        "NotAccepted": 503,
        "OutcomeUnknown": 503,
        "DatabaseUnavailable": 503,
    }
)
"""The HTTP status of each error code; `/action` answers a VersionMismatch with 404."""

MAX_NAME: Final = 64  # characters of a field's name that a pointer shows
MAX_LISTED: Final = 100  # errors that a job and a dead letter list
MAX_ANSWERED: Final = 1_000  # that an HTTP answer lists
MAX_COUNTED: Final = 10_000  # beyond which they are not even looked at, lest that take seconds


class FieldError(Message):
    """One thing that is wrong, and where: a JSON pointer (RFC 6901) into the body."""

    pointer: str
    code: str
    message: str


class Failure(Message):
    """Why a command was not applied."""

    code: str
    status: int
    detail: str
    errors: tuple[FieldError, ...] = ()


def failure(code: str, detail: str, errors: Iterable[FieldError] = ()) -> Failure:
    """Return a failure with the status of its code and at most 100 errors."""
    return Failure(code=code, status=STATUS[code], detail=detail, errors=tuple(errors)[:MAX_LISTED])


def pointer(location: Iterable[str | int]) -> str:
    """Return the JSON pointer to *location*."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)


_CODES: Final = MappingProxyType(
    {
        "missing": "Required",
        "extra_forbidden": "Unknown",
        "string_too_long": "TooLong",
        "too_long": "TooLong",
        "too_large": "TooLong",
        "string_too_short": "TooShort",
        "too_short": "TooShort",
        "greater_than": "OutOfRange",
        "ahead": "OutOfRange",
        "decimal_digits": "OutOfRange",
    }
)


def field_errors(error: ValidationError, most: int = MAX_ANSWERED) -> tuple[FieldError, ...]:
    """
    Return everything that is wrong; messages never repeat the input, which may be personal.

    Of more than *most* errors the first are returned, and one that says how many there are; of
    more than 10,000 only that one.
    """
    count = error.error_count()
    if not most or count > MAX_COUNTED:
        return (_more(count),)
    details = error.errors(include_url=False)
    places = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    # A list whose items are wrong is also reported as too short: nobody needs to read that.
    found = (
        _field_error(detail)
        for detail in details
        if detail["type"] != "too_short" or detail["loc"] not in places
    )
    listed = tuple(islice(found, most + 1))
    return listed if len(listed) <= most else (*listed[:-1], _more(count))


def _more(count: int) -> FieldError:
    return FieldError(pointer="", code="TooMany", message=f"Has {count:,} errors in all")


def _field_error(detail: ErrorDetails) -> FieldError:
    kind: Any = detail["type"]
    location = [_cut(part) for part in detail["loc"] if part != "[key]"]
    if detail["input"] is None:
        kind = "missing"  # null is absent
    return FieldError(
        pointer=pointer(location), code=_CODES.get(kind, "Invalid"), message=_sentence(kind, detail)
    )


def _cut(part: str | int) -> str | int:
    """Bound a name that the sender chose: an answer must not grow with what it refuses."""
    return part if isinstance(part, int) or len(part) <= MAX_NAME else f"{part[:MAX_NAME]}…"


_SENTENCES: Final = MappingProxyType(
    {
        "missing": "Is required",
        "extra_forbidden": "Is not a field of this object",
        "model_type": "Must be an object",
        "dict_type": "Must be an object",
        "tuple_type": "Must be an array",
        "string_type": "Must be a string",
    }
)
_FORMS: Final = MappingProxyType(
    {
        ORDER_ID: "Must not hold / or control characters",
        LANGUAGE_TAG: "Must be a language tag (BCP 47), such as en or sv-SE",
        URL: "Must be an http or https URL",
        FIELD_NAME: "Must be a name of letters and digits that begins with a letter",
    }
)
_SUBJECT: Final = re.compile(r"^(Input|String|Tuple|Dictionary) should\b")
_COUNTED: Final = re.compile(r" after validation, not .*$")


def _sentence(kind: str, detail: ErrorDetails) -> str:
    """Return what is wrong, in the words of JSON rather than of our models."""
    if kind == "string_pattern_mismatch":
        return _FORMS[detail["ctx"]["pattern"]]
    return _SENTENCES.get(kind) or _COUNTED.sub("", _SUBJECT.sub("Must", detail["msg"]))
