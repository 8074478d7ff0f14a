"""The API keys of a stack: who may call its gateway, and what may be shown of them."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from rich.table import Table

from order_runtime.auth.api_keys import SCOPES, ApiKey, KeyFile, Scope
from order_stack.cluster.parts import Stack
from order_stack.problems import StackProblem


def file_of(stack: Stack) -> KeyFile:
    return KeyFile(Path(stack.keys_file))


def scopes(wanted: list[str] | None) -> frozenset[Scope]:
    """Return the scopes of those names; all of them where none is named."""
    known: tuple[Scope, ...] = get_args(Scope)
    if not set(wanted or ()) <= set(known):
        raise StackProblem(f"A scope is one of {', '.join(sorted(SCOPES))}.")
    return frozenset(scope for scope in known if not wanted or scope in wanted)


def shown(stack: Stack) -> list[dict[str, object]]:
    return [_shown(key) for key in file_of(stack).keys()]  # noqa: SIM118  a KeyFile is no dict


def _shown(key: ApiKey) -> dict[str, object]:
    """Return what may be shown of a key: all but its hash."""
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "rate": key.rate,
        "createdAt": key.created_at.isoformat(timespec="seconds"),
        "revoked": key.revoked,
    }


def table(rows: list[dict[str, object]]) -> Table:
    drawn = Table(box=None, pad_edge=False)
    for column in ("id", "name", "scopes", "rate", "createdAt", "revoked"):
        drawn.add_column(column, no_wrap=True)
    for row in rows:
        drawn.add_row(*map(_cell, row.values()))
    return drawn


def _cell(value: object) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)
