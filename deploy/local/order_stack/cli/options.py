"""Options that many commands have, and how they print."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import typer
from rich.console import Console

from order_stack.problems import StackProblem

NameOption = Annotated[str, typer.Option("--name", help="Which stack; several run side by side.")]
SinceAgoOption = Annotated[
    str | None,
    typer.Option("--since", help="From 90s, 10m, 2h or 1d ago on, or from a time (RFC 3339)."),
]
LimitOption = Annotated[int, typer.Option("--limit", min=1, help="At most so many.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", help="Seconds that it may take.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]

DEMO_WIDTH = 120  # columns of the demo, where its output is no terminal
_AGO: Final = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
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


def since_of(text: str | None, now: datetime) -> datetime | None:
    """Return the time that `--since` gives, by itself or as how long ago; raises StackProblem."""
    if text and (ago := _AGO.fullmatch(text)):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    return time_of(text)


def time_of(text: str | None) -> datetime | None:
    """Return the time that an option gives, UTC where it has no offset; raises StackProblem."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise StackProblem(f"{text!r} is no time such as 2025-11-28T09:00:00Z.") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
