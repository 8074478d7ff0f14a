"""The header fields of a request: the only place where they are read."""

from __future__ import annotations

from starlette.requests import Request

from gateway.domain.field_values import FieldValues


def fields(request: Request) -> FieldValues:
    """Return the values by lower-case name; they are put together once a request."""
    found: FieldValues | None = getattr(request.state, "fields", None)
    if found is None:
        found = request.state.fields = FieldValues(request.headers.items())
    return found
