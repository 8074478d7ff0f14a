"""From bytes to messages: strict at the door, tolerant inside, numbers read as text."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar

import jiter
from pydantic import TypeAdapter, ValidationError
from pydantic_core import SchemaValidator

from order_contracts.amounts import ROUNDINGS, RoundingCounter
from order_contracts.base import Message
from order_contracts.errors import MAX_ANSWERED, FieldError, field_errors
from order_contracts.nulls import validator_without_null_steps
from order_contracts.order import READ_ONLY, Order
from order_contracts.rounding import RoundedNumbers, roundings

M = TypeVar("M", bound=Message)


class Invalid(ValueError):
    """A body that is not what it should be; says everything that is wrong with it."""

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        super().__init__(
            "; ".join(f"{error.pointer} {error.message}".strip() for error in errors[:10])
        )
        self.errors = errors


class UnreadableDocument(Exception):
    """What is at rest was written by another release, or tampered with; says which fields."""


def parse(raw: bytes) -> Any:
    """
    Return the JSON value in *raw*, its fractions as Decimal, exactly as they were written.

    Raises Invalid for what is not UTF-8 JSON, a repeated key, NaN, a lone surrogate, a NUL in a
    string, and nesting beyond 201 levels.
    """
    try:
        value = jiter.from_json(
            raw, float_mode="decimal", catch_duplicate_keys=True, allow_inf_nan=False
        )
    except ValueError as error:
        raise Invalid((FieldError(pointer="", code="Malformed", message=_why(error)),)) from None
    if b"\\u0000" in raw and _holds_nul(value):
        message = "Must not contain the character U+0000"
        raise Invalid((FieldError(pointer="", code="Malformed", message=message),))
    return value


def read(
    model: type[M],
    value: object,
    *,
    strict: bool = False,
    now: datetime | None = None,
    most: int = MAX_ANSWERED,
    rounded: RoundedNumbers | None = None,
) -> M:
    """
    Return *value*, parsed JSON, as a message; raises Invalid with every error, up to *most*.

    Strict refuses unknown fields (the gateway); else they are passed over (consumers). Read-only
    fields of an order are ignored, so that what was answered may be edited and sent back. `now`
    bounds the times that must not lie ahead. What is neither strict nor has a `now` was accepted
    before: its matchKey may be blank. `rounded` is told which numbers were rounded.
    """
    if issubclass(model, Order) and isinstance(value, dict) and not READ_ONLY.isdisjoint(value):
        value = {name: item for name, item in value.items() if name not in READ_ONLY}
    counter = RoundingCounter()
    context = {"now": now, "door": strict or now is not None, ROUNDINGS: counter}
    message = _validated(model, value, context, strict=strict, most=most)
    if rounded is not None and counter.count:
        rounded.found = roundings(message, value)
    return message


def read_announced(model: type[M], raw: bytes) -> M:
    """Return a message that one of our services wrote; raises Invalid."""
    return _validated(model, parse(raw), {})


def at_rest(model: type[M], document: Mapping[str, Any]) -> M:
    """Return a message from its document in MongoDB; raises UnreadableDocument."""
    try:
        return _message(model, document, context={"at_rest": True})
    except ValidationError as error:
        raise UnreadableDocument(str(Invalid(field_errors(error)))) from None


def _validated(
    model: type[M],
    value: object,
    context: dict[str, Any],
    *,
    strict: bool = False,
    most: int = MAX_ANSWERED,
) -> M:
    extra: Literal["forbid", "ignore"] = "forbid" if strict else "ignore"
    try:
        return _message(model, value, context=context, extra=extra, by_alias=True, by_name=False)
    except ValidationError as error:
        raise Invalid(field_errors(error, most)) from None


def _message(model: type[M], value: object, **options: Any) -> M:
    """
    Return *value* as a message; raises ValidationError.

    What the validator takes that doesn't look for nulls, the other one takes alike; what it
    refuses may hold nulls that are to be passed over.
    """
    with suppress(ValidationError):
        taken: M = _validator_without_null_steps(model).validate_python(value, **options)
        return taken
    if counter := options["context"].get(ROUNDINGS):
        counter.count = 0
    message: M = _adapter(model).validate_python(value, **options)
    return message


@cache
def _adapter(model: type[M]) -> TypeAdapter[M]:
    return TypeAdapter(model)


@cache
def _validator_without_null_steps(model: type[Message]) -> SchemaValidator:
    return validator_without_null_steps(_adapter(model).core_schema)


def _why(error: ValueError) -> str:
    """Return the parser's sentence, without the key it may quote."""
    text = str(error)
    if text.startswith("Detected duplicate key"):
        return "An object repeats a key" + text[text.rfind(" at line") :]
    if text.startswith("Internal error"):
        return "Holds a number that is out of range" + text[text.rfind(" at line") :]
    return f"Is not JSON: {text}"


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(map(_holds_nul, value)) or any(map(_holds_nul, value.values()))
    return isinstance(value, list) and any(map(_holds_nul, value))
