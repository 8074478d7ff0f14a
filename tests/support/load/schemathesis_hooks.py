"""What schemathesis has to be told to send every body that the API takes."""

from __future__ import annotations

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def lines(_: schemathesis.SerializationContext, value: object) -> bytes:
    """Send text as it is: whether it is lines of JSON is for the gateway to say."""
    return value if isinstance(value, bytes) else str(value).encode()
