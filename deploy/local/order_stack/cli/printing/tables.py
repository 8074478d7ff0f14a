"""Rows as a table: whole where the output is no terminal, and what fits beside the ids on one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from order_stack.cli.options import err, out

GAP: Final = 2  # columns between two columns of a table
WRAPPED: Final = 24  # columns that a text which may wrap needs at least
_TIME: Final = re.compile(r"\d{4}-(\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d+Z", re.ASCII)


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], wraps: str = "") -> None:
    """
    Print these columns, the most important first.

    No cell but those of *wraps* is ever wrapped, and none cut: of a terminal that has no room for
    them, the last columns are left out, and named.
    """
    console = out()
    cells = [[cell(row[it]) for it in columns] for row in rows]
    if not console.is_terminal:
        console.print(table_of(cells, columns))
        return
    cells = [[_TIME.sub(r"\1 \2", it) for it in row] for row in cells]
    wide = natural_widths(cells, columns)
    count = fitting(wide, columns, wraps, console.width)
    console.width = max(console.width, wide[0])  # or the first one would be cut, not wrapped
    console.print(table_of([row[:count] for row in cells], columns[:count], wraps))
    if columns[count:]:
        names = ", ".join(columns[count:])
        err().print(f"No room for {names}: a wider terminal, a pipe or --json has them.")


def fitting(widths: Sequence[int], columns: Sequence[str], wraps: str, room: int) -> int:
    """Return how many of the columns fit into *room*; the first one always counts as fitting."""
    used = 0
    for count, (width, column) in enumerate(zip(widths, columns, strict=True)):
        used += min(width, WRAPPED) if column == wraps else width
        if count and used > room:
            return count
        used += GAP
    return len(columns)


def natural_widths(cells: Sequence[Sequence[str]], columns: Sequence[str]) -> list[int]:
    return [max(map(len, column)) for column in zip(columns, *cells, strict=True)]


def table_of(cells: Sequence[Sequence[str]], columns: Sequence[str], wraps: str = "") -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for column, width in zip(columns, natural_widths(cells, columns), strict=True):
        if column == wraps:
            table.add_column(column, overflow="fold")
        else:
            table.add_column(column, no_wrap=True, min_width=width)
    for row in cells:
        table.add_row(*map(Text, row))
    return table


def print_pairs(pairs: Sequence[tuple[str, Any]]) -> None:
    """Print names and values, one a line, however long."""
    width = max((len(name) for name, _ in pairs), default=0)
    for name, value in pairs:
        out().print(Text(f"{name:<{width}}  {cell(value)}".rstrip()))


def cell(value: object) -> str:
    """Return a value as it is shown."""
    joined = " ".join(map(str, value)) if isinstance(value, list) else value
    return "" if joined is None else printable(str(joined))


def printable(text: str) -> str:
    """Return *text* without control characters, so that it can't steer a terminal."""
    return "".join(
        it if it.isprintable() or it == "\t" else it.encode("unicode_escape").decode()
        for it in text
    )
