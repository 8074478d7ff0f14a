"""The header fields of a request: the only place where they are read."""

from __future__ import annotations

from starlette.requests import Request

from gateway.domain.field_values import FieldValues


def fields(request: Request) -> FieldValues:
    """Return the values by lower-case name; they are put together once a request."""
    state = request.scope.setdefault("state", {})
    found: FieldValues | None = state.get("fields")
    if found is None:
        raw = request.headers.raw
        lines = ((name.decode("latin-1"), line.decode("latin-1")) for name, line in raw)
        found = state["fields"] = FieldValues(lines)
    return found
