"""The progress bars of `orders submit`, and the table of its summary."""

from __future__ import annotations

from typing import Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from order_stack.cli.options import err
from order_stack.submit.gateway_client import Answer
from order_stack.submit.job_progress import settled


class ProgressBars:
    """A bar for the answers and one for the jobs; nothing where the output is no terminal."""

    def __init__(self) -> None:
        console = err()
        self._bars = Progress(
            TextColumn("{task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._answers = self._bars.add_task("Registering", total=None)
        self._jobs = self._bars.add_task("Settling", total=None, visible=False)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def answered(self, _: Answer, total: int) -> None:
        self._bars.update(self._answers, total=total, advance=1)

    def job_seen(self, job: dict[str, Any], total: int) -> None:
        self._bars.update(self._jobs, total=total, advance=settled(job), visible=True)


def summary(figures: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right")
    table.add_column()
    table.add_row(str(figures["accepted"]), f"accepted of {figures['submitted']}")
    for title, counts in (
        ("refused", figures["refusedBy"]),
        ("jobs", figures["jobs"]),
        ("actions", figures["actions"]),
    ):
        for label, count in sorted(counts.items()):
            table.add_row(str(count), f"{title}: {label}")
    if figures["unsettled"]:
        table.add_row(str(figures["unsettled"]), "jobs have not settled in time")
    if figures["refusedFile"]:
        table.add_row("", f"refused lines are in {figures['refusedFile']}")
    return table
