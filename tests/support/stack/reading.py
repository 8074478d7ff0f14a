"""What the door says of a body: the errors as `(pointer, code)`, or none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from order_contracts.base import Message
from order_contracts.decoding import Invalid, parse, read
from order_contracts.order import Order
from support.builders.bodies import order_body
from support.builders.properties import NOW

Told = list[tuple[str, str]]


def wire(body: Any) -> Any:
    """Return *body* as it arrives: parsed from bytes."""
    return parse(json.dumps(body, ensure_ascii=False).encode())


def order(**deviations: Any) -> Order:
    return read(Order, wire(order_body(**deviations)), strict=True, now=NOW)


def refusals(body: Any, model: type[Message] = Order) -> Told:
    """Return what is wrong with a body, in the order it is told."""
    try:
        read(model, body if isinstance(body, Mapping) else wire(body), strict=True, now=NOW)
    except Invalid as refused:
        return [(error.pointer, error.code) for error in refused.errors]
    return []


def wrong(**deviations: Any) -> Told:
    """Return what is wrong with an order that is valid but for *deviations*."""
    return refusals(wire(order_body(**deviations)))


def spelt(field: str, text: str) -> Any:
    """Return an order in which *field* has the JSON *text*, exactly as it is spelt."""
    return parse(json.dumps(order_body() | {field: "?"}).replace('"?"', text).encode())


def malformed(raw: bytes) -> str | None:
    """Return the sentence that tells why *raw* is refused before any model sees it."""
    try:
        parse(raw)
    except Invalid as refused:
        (error,) = refused.errors
        assert (error.pointer, error.code) == ("", "Malformed")
        return error.message
    return None
