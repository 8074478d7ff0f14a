"""The command that shows the logs of a stack, also of one that is down."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick
# ruff: noqa: PLR0913, PLR0917  each argument is an option of the command

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from order_stack.cli.options import JsonOption, NameOption, err, out, since_of
from order_stack.cluster import state
from order_stack.problems import StackProblem
from order_stack.supervision.log_records import Level
from order_stack.supervision.signals import stop_on_signals

if TYPE_CHECKING:
    from order_stack.supervision.logs import PartLog


def show_logs(
    service: Annotated[str | None, typer.Argument(help="One part; all by default.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    since: Annotated[
        str | None, typer.Option(help="From 90s, 10m, 2h or 1d ago on, or from a time (RFC 3339).")
    ] = None,
    level: Annotated[Level, typer.Option(help="Of this level or a graver one.")] = "debug",
    tail: Annotated[int | None, typer.Option(min=0, help="The last so many of these.")] = None,
    grep: Annotated[str, typer.Option(metavar="TEXT", help="With this text in it.")] = "",
    name: NameOption = "default",
    as_json: JsonOption = False,
) -> None:
    """Show the logs of all parts merged by time; of a stack that is down those of its last run."""
    from order_stack.cli.printing import log_lines
    from order_stack.supervision import logs
    from order_stack.supervision.log_records import LogSelection

    folder = state.folder_of(name)
    found = _logs(name, service)
    wanted = LogSelection(since_of(since, datetime.now(UTC)), level, grep)
    width = max(len(it.part) for it in found) if len(found) > 1 else 0
    plain = log_lines.readable if out().is_terminal else log_lines.as_written
    written = log_lines.as_json if as_json else partial(plain, width=width)
    with stop_on_signals():
        logs.show(
            found,
            wanted,
            lambda record: typer.echo(written(record)),
            tail=tail,
            goes_on=lambda: follow and (folder / "stack.json").exists(),
        )


def _logs(name: str, part: str | None) -> list[PartLog]:
    """Return the logs of the stack's parts, or where it is down the ones that its last run left."""
    from order_stack.supervision import lifecycle
    from order_stack.supervision.logs import PartLog

    folder = state.folder_of(name)
    if stack := state.load(folder):
        parts = [lifecycle.part_named(stack, part)] if part else stack.parts
        return [PartLog(it.name, Path(it.log)) for it in parts]
    left = sorted((folder / "logs").glob("*.log"))
    if not left:
        state.known(name)
    err().print(Text(f"Stack {name!r} is down; these are the logs of its last run.", "yellow"))
    if part and part not in {it.stem for it in left}:
        there = ", ".join(it.stem for it in left)
        raise StackProblem(f"The last run of {name!r} has no log of {part!r}, but of {there}.")
    return [PartLog(it.stem, it) for it in left if part in {None, it.stem}]
