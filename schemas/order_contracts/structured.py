"""
CloudEvents in Kafka's structured mode: attributes and data in one JSON value, as connectors write.

The attributes are returned as the headers of binary mode, so that readers treat both alike.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any, Final

from order_contracts.cloudevents import BadHeaders
from order_contracts.decoding import Invalid, parse
from order_contracts.errors import FieldError

STRUCTURED: Final = "application/cloudevents+json"
_CONTENT_TYPE: Final = "content-type"
_DATA: Final = frozenset({"data", "data_base64"})
_READ: Final = frozenset(
    {"specversion", "id", "source", "type", "time", "subject", "datacontenttype", "traceparent"}
    | {"ifmatch", "idempotencykey", "actions", "registration", "contactsince"}
)
"""The attributes that have a meaning here; others may be of any type."""

Event = Mapping[str, Any]


def structured_event(
    headers: Iterable[tuple[str, bytes | None]], value: bytes | None
) -> Event | None:
    """
    Return the event that a record holds in structured mode; None where it is in binary mode.

    The content type decides, or, where there is none, the member `specversion` in the value.
    Raises Invalid where the content type tells an event and the value is no JSON object.
    """
    types = [it for name, it in headers if name.lower() == _CONTENT_TYPE and it is not None]
    if not types:
        return _sniffed(value)
    media_type = types[0].decode(errors="replace").partition(";")[0].strip().lower()
    if len(types) > 1 or media_type != STRUCTURED:
        return None
    event = parse(value or b"")
    if not isinstance(event, dict):
        raise _malformed("", "Must be an object: a CloudEvent in structured mode")
    return event


def attributes(event: Event) -> dict[str, str]:
    """Return the attributes by the names of their headers; raises BadHeaders for one of no text."""
    found: dict[str, str] = {}
    for name, value in event.items():
        if name in _DATA or value is None:
            continue
        if isinstance(value, str | int):
            found[_header(name)] = str(value).lower() if isinstance(value, bool) else str(value)
        elif name in _READ:
            raise BadHeaders(f"The header {_header(name)} must be text")
    return found


def data_of(event: Event) -> Any:
    """Return the event's data as parsed JSON, None where it has none; raises Invalid."""
    encoded = event.get("data_base64")
    if encoded is None:
        return event.get("data")
    try:
        return parse(b64decode(encoded, validate=True))
    except (TypeError, ValueError) as error:
        if isinstance(error, Invalid):
            raise
        raise _malformed("/data_base64", "Must be Base64") from None


def told(reason: str) -> str:
    """Return a sentence about headers as one about the attributes that they stand for."""
    return reason.replace("The header content-type", "The attribute datacontenttype").replace(
        "The header ce_", "The attribute "
    )


def _sniffed(value: bytes | None) -> Event | None:
    if not value or b'"specversion"' not in value:
        return None
    try:
        event = parse(value)
    except Invalid:
        return None
    return event if isinstance(event, dict) and "specversion" in event else None


def _header(name: str) -> str:
    return {"datacontenttype": _CONTENT_TYPE, "traceparent": "traceparent"}.get(name, f"ce_{name}")


def _malformed(pointer: str, message: str) -> Invalid:
    return Invalid((FieldError(pointer=pointer, code="Malformed", message=message),))
