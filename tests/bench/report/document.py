"""The tables in docs/performance.md, between two marks; the words around them stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bench.report.results import StageResult
from bench.report.table import rows_of

BEGIN: Final = "<!-- begin of the tables that make bench writes -->"
END: Final = "<!-- end of the tables -->"


def with_tables(document: str, stages: Mapping[str, StageResult]) -> str:
    """Return *document* with the tables of these stages in the place of those it has."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = [_table(name, result) for name, result in stages.items()]
    return "\n\n".join([before + BEGIN, *tables, END + after])


def _table(name: str, result: StageResult) -> str:
    head, *rows = rows_of(result.what, result.rounds)
    lines = [head, ["---"] + ["---:"] * (len(head) - 2) + ["---"], *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{name} (commit {result.commit}, load average {result.load}):\n\n{table}"
