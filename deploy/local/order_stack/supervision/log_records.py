"""Log lines of services, brokers and mongods as records with a time and a level. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

Level = Literal["debug", "info", "warning", "error", "critical"]

LEVELS: Final[tuple[Level, ...]] = get_args(Level)
EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
"""The time of lines before the first one that has a time."""

_KAFKA: Final = re.compile(r"(\d{4}-\S+) \[(.*?)\] (TRACE|DEBUG|INFO|WARN|ERROR) (.*)", re.DOTALL)
_KAFKA_LEVELS: Final[Mapping[str, Level]] = {
    "TRACE": "debug",
    "DEBUG": "debug",
    "INFO": "info",
    "WARN": "warning",
    "ERROR": "error",
}
_MONGOD_LEVELS: Final[Mapping[str, Level]] = {
    "F": "critical",
    "E": "error",
    "W": "warning",
    "I": "info",
}


@dataclass(frozen=True, slots=True)
class LogHead:
    """What the line says with which a record begins; *fields* is what it holds besides."""

    at: datetime
    level: Level
    event: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, Any] | None = None
    """The line itself, where it is JSON."""


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A line of a part's log with the lines that belong to it, as those of a stack trace."""

    part: str
    at: datetime
    level: Level
    lines: tuple[str, ...]
    head: LogHead | None = None
    """None where no line of it could be read."""


@dataclass(frozen=True, slots=True)
class LogSelection:
    """Selects the records that fit everything that is given."""

    since: datetime | None = None
    level: Level = "debug"
    text: str = ""

    def takes(self, record: LogRecord) -> bool:
        return (
            (self.since is None or self.since <= record.at)
            and LEVELS.index(self.level) <= LEVELS.index(record.level)
            and any(self.text in line for line in record.lines)
        )


def head_of(line: str) -> LogHead | None:
    """Return what a line says; None for one that belongs to the line before."""
    try:
        if line.startswith("{"):
            return _of_json(json.loads(line))
        return _of_kafka(line)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _of_json(document: dict[str, Any]) -> LogHead:
    if "t" in document:
        return _of_mongod(document)
    known = {"timestamp", "level", "event", "service", "instance"}
    return LogHead(
        at=_time(document["timestamp"]),
        level=_known_level(document["level"]),
        event=str(document["event"]),
        fields={name: value for name, value in document.items() if name not in known},
        document=document,
    )


def _of_mongod(document: dict[str, Any]) -> LogHead:
    return LogHead(
        at=_time(document["t"]["$date"]),
        level=_MONGOD_LEVELS.get(document["s"], "debug"),
        event=f"{document['c']} {document['msg']}",
        fields=dict(document.get("attr", {})),
        document=document,
    )


def _of_kafka(line: str) -> LogHead | None:
    found = _KAFKA.fullmatch(line)
    if found is None:
        return None
    return LogHead(_time(found[1]), _KAFKA_LEVELS[found[3]], f"{found[4]} [{found[2]}]")


def _known_level(text: str) -> Level:
    return next((it for it in LEVELS if it == text), "info")


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
