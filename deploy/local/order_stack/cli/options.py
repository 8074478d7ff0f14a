"""Options that many commands have, and how they print."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from order_stack.problems import StackProblem

NameOption = Annotated[str, typer.Option("--name", help="Which stack; several run side by side.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]

DEMO_WIDTH = 120  # columns of the demo, where its output is no terminal
UNLIMITED = 100_000  # columns, where the output is no terminal: no line is wrapped or cut


def out() -> Console:
    """Return the console of standard output; it neither colours nor wraps paths and keys."""
    return _console(stderr=False)


def demo_console() -> Console:
    """Return the console of the demo, whose rules are as long as it is wide."""
    console = _console(stderr=False)
    if not console.is_terminal:
        console.width = DEMO_WIDTH
    return console


def err() -> Console:
    """Return the console of standard error, for progress and problems."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = UNLIMITED
    return console


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def time_of(text: str | None) -> datetime | None:
    """Return the time that an option gives, UTC where it has no offset; raises StackProblem."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise StackProblem(f"{text!r} is no time such as 2025-11-28T09:00:00Z.") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
