"""Validation of bodies as the gateway does it, with the errors as `(pointer, code)`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from order_contracts.base import Message
from order_contracts.decoding import Invalid, parse, read
from order_contracts.order import Order
from support.builders.bodies import order_body
from support.builders.order_strategies import NOW

Errors = list[tuple[str, str]]


def parsed(body: Any) -> Any:
    """Return *body* serialized and parsed again, as the gateway gets it."""
    return parse(json.dumps(body, ensure_ascii=False).encode())


def valid_order(**deviations: Any) -> Order:
    return read(Order, parsed(order_body(**deviations)), strict=True, now=NOW)


def validation_errors(body: Any, model: type[Message] = Order) -> Errors:
    """Return the errors of a body, in the order in which they are reported."""
    try:
        read(model, body if isinstance(body, Mapping) else parsed(body), strict=True, now=NOW)
    except Invalid as refused:
        return [(error.pointer, error.code) for error in refused.errors]
    return []


def order_errors(**deviations: Any) -> Errors:
    """Return the errors of an order that is valid except for *deviations*."""
    return validation_errors(parsed(order_body(**deviations)))


def order_with_literal(field: str, text: str) -> Any:
    """Return a parsed order in which *field* was given as the JSON literal *text*."""
    return parse(json.dumps(order_body() | {field: "?"}).replace('"?"', text).encode())


def syntax_error(raw: bytes) -> str | None:
    """Return the message for *raw* if it isn't acceptable JSON; None if it is."""
    try:
        parse(raw)
    except Invalid as refused:
        (error,) = refused.errors
        assert (error.pointer, error.code) == ("", "Malformed")
        return error.message
    return None
