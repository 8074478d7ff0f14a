"""Hooks of schemathesis: a serializer for the media type that it doesn't know."""

from __future__ import annotations

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_: schemathesis.SerializationContext, value: object) -> bytes:
    """Send the value as text, also if it isn't valid NDJSON: the gateway has to check that."""
    return value if isinstance(value, bytes) else str(value).encode()
