"""How `orders logs` writes a record: readable on a terminal, else as it was written, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import typer

from order_stack.cli.printing.tables import printable
from order_stack.supervision.log_records import EARLIEST, Level, LogRecord

COLOURS: Final[Mapping[Level, str]] = {
    "warning": typer.colors.YELLOW,
    "error": typer.colors.RED,
    "critical": typer.colors.BRIGHT_RED,
}


def as_written(record: LogRecord, width: int) -> str:
    """Return the lines of the log, with the part's name in front unless *width* is 0."""
    name = f"{record.part:<{width}} | " if width else ""
    return "\n".join(f"{name}{line}" for line in record.lines)


def as_json(record: LogRecord) -> str:
    """Return one JSON object: the line's own with the part's name, and the lines that follow it."""
    head = record.head
    named: dict[str, Any] = {"part": record.part}
    if head is None:
        return _dumped(named | {"level": record.level, "lines": record.lines})
    own = head.document or {
        "timestamp": head.at.isoformat(),
        "level": head.level,
        "event": head.event,
    }
    more = {"lines": record.lines[1:]} if len(record.lines) > 1 else {}
    return _dumped(named | dict(own) | more)


def readable(record: LogRecord, width: int) -> str:
    """Return time, part, level, event and fields for a person, and the lines that follow it."""
    head = record.head
    time = "" if record.at == EARLIEST else f"{record.at:%m-%d %H:%M:%S}.{record.at:%f}"[:18]
    level = typer.style(f"{record.level:<8}", fg=COLOURS.get(record.level))
    name = typer.style(f"{record.part:<{width}} ", fg=typer.colors.CYAN) if width else ""
    said = record.lines[0] if head is None else " ".join([head.event, *_pairs(head.fields)])
    more = record.lines[1:]
    first = f"{time:<18} {name}{level} {printable(said)}"
    return "\n".join([first, *(f"{'':<18} {name}{printable(line)}" for line in more)])


def _pairs(fields: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}={value if isinstance(value, str) else _dumped(value)}"
        for name, value in fields.items()
    ]


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
