"""The header fields of a request: the only place where they are read."""

from __future__ import annotations

from starlette.types import Scope

from gateway.domain.field_values import FieldValues


def fields(scope: Scope) -> FieldValues:
    """Return the values by lower-case name; they are put together once a request."""
    state = scope["state"]
    found: FieldValues | None = state.get("fields")
    if found is None:
        found = state["fields"] = FieldValues(scope["headers"])
    return found
