"""Documents counted by what they have in common, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from order_stack.cli.options import err, out, print_json
from order_stack.cli.printing.tables import print_rows


@dataclass(frozen=True, slots=True)
class Counts:
    """Groups of documents, and how many were counted."""

    groups: Sequence[Mapping[str, Any]]
    """The first ones are shown, in this order."""
    counted: int
    complete: bool
    """False where older documents are left out."""


def print_counts(
    found: Counts, columns: Sequence[str], *, of: str, limit: int | None, as_json: bool
) -> None:
    """Print at most *limit* groups of *of*, what is counted, and say what is left out."""
    shown = found.groups[:limit]
    if as_json:
        print_json({"counted": found.counted, "complete": found.complete, "groups": shown})
        return
    if shown:
        print_rows(shown, columns)
    else:
        out().print(f"No {of}.")
    if left := found.groups[len(shown) :]:
        err().print(f"{len(left)} more groups: --limit {len(found.groups)} shows them.")
    if not found.complete:
        err().print(f"Of the newest {of} alone, {found.counted} of them: --since counts fewer.")
