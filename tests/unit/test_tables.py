"""Tables show ids whole: everything where the output is piped, what fits on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from order_stack.cli.printing import tables

COLUMNS = ("actionId", "orderId", "message", "jobId")
ID = "a9c7fce4-e8ea-5dc4-aa8c-bb5361b33d07"
ROW = {"actionId": ID, "orderId": "OM-1", "message": "The endpoint answered 400. " * 4, "jobId": ID}


def on_terminal(cells: list[list[str]], columns: tuple[str, ...], wraps: str) -> list[str]:
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None)
    console.print(tables.table_of(cells, columns, wraps))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("room", "count"), [(20, 1), (45, 1), (46, 2), (71, 2), (72, 3), (109, 3), (110, 4)]
)
def test_columns_count_as_fitting_until_one_does_not(room: int, count: int) -> None:
    assert tables.fitting([36, 8, 100, 36], COLUMNS, "message", room) == count


def test_on_a_terminal_an_id_is_never_cut_and_a_text_wraps() -> None:
    cells = [[ID, "OM-1", "The endpoint answered 400. " * 4]]
    lines = on_terminal(cells, COLUMNS[:3], "message")
    assert lines[1].startswith(f"{ID}  OM-1")
    assert len(lines) > 2
    assert max(map(len, lines)) <= 80


def test_piped_a_row_is_one_line_with_all_its_columns(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_rows([ROW], COLUMNS, wraps="message")
    _, line = capsys.readouterr().out.splitlines()
    assert line.rstrip() == f"{ID}  OM-1     {ROW['message']}  {ID}"


def test_pairs_are_a_line_each_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_pairs([("a", "x" * 500), ("long", None)])
    assert capsys.readouterr().out.splitlines() == [f"a     {'x' * 500}", "long"]


@pytest.mark.parametrize(
    ("value", "shown"), [(None, ""), (["a", "b"], "a b"), ("\x1b[2J", "\\x1b[2J"), (3, "3")]
)
def test_a_cell_is_plain_text(value: object, shown: str) -> None:
    assert tables.cell(value) == shown
