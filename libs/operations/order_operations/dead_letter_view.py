"""Dead letters as an operator sees them: what may be shown of them, and which are meant. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from order_contracts.topics import HANDLED, TOPICS
from order_contracts.values import rfc3339
from order_runtime.kafka.dead_letters import JOB, PREFIX, SUFFIX
from order_runtime.kafka.records import Outgoing, Record

DEAD_LETTERS: Final = tuple(topic.name for topic in TOPICS if topic.name.endswith(SUFFIX))
OPEN: Final = "open"
REPLAYED: Final = "replayed"
DROPPED: Final = "dropped"
_PLACE: Final = re.compile(r"([^/]+)/(\d{1,9})/(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class LetterPosition:
    """Where a letter lies; written `TOPIC/PARTITION/OFFSET`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """What may be shown of a dead letter in a list: nothing of its value."""

    position: LetterPosition
    at: datetime
    key: str
    reason: str
    message: str
    origin: str
    job_id: str | None
    size: int
    state: str = OPEN


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which letters are meant: all that fit what is given, or those at *places*."""

    topics: tuple[str, ...] = DEAD_LETTERS
    positions: frozenset[LetterPosition] = frozenset()
    reason: str | None = None
    key: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    handled: bool = False
    """Whether those are meant too that were replayed or dropped; named ones always are."""

    def means(self, letter: Letter) -> bool:
        if self.positions:
            return letter.position in self.positions
        return (
            (self.handled or letter.state == OPEN)
            and self.reason in {None, letter.reason}
            and self.key in {None, letter.key}
            and (self.since is None or self.since <= letter.at)
            and (self.until is None or letter.at < self.until)
        )


def position_of(record: Record) -> LetterPosition:
    return LetterPosition(record.topic, record.partition, record.offset)


def letter_of(record: Record) -> Letter:
    """Return *record* as a letter; a header that is missing or broken is shown as it is."""
    told = {name: printable(value) for name, value in record.headers if name.startswith(PREFIX)}
    came_from = (told.get(PREFIX + part, "?") for part in ("topic", "partition", "offset"))
    return Letter(
        position=position_of(record),
        at=record.at,
        key=printable(record.key),
        reason=told.get(f"{PREFIX}exception.class.name", ""),
        message=told.get(f"{PREFIX}exception.message", ""),
        origin="/".join(came_from),
        job_id=told.get(JOB),
        size=len(record.value or b""),
    )


def marked(letter: Letter, marks: Mapping[str, tuple[str, str]]) -> Letter:
    """
    Return *letter* with what was done with it, given by place as its time and the state.

    The time keeps a mark from being taken for that of another letter, in a topic made anew.
    """
    at, state = marks.get(str(letter.position), ("", OPEN))
    return replace(letter, state=state) if at == rfc3339(letter.at) else letter


def mark(letter: Letter, state: str, now: datetime) -> Outgoing:
    """Return the record that remembers what was done with *letter*."""
    told = {"state": state, "letterAt": rfc3339(letter.at), "at": rfc3339(now)}
    return Outgoing(HANDLED.name, str(letter.position).encode(), json.dumps(told).encode())


def mark_of(record: Record) -> dict[str, tuple[str, str]]:
    """Return what `marked` needs of a mark."""
    told = json.loads(record.value or b"")
    return {(record.key or b"").decode(): (told["letterAt"], told["state"])}


def printable(raw: bytes | None) -> str:
    """Return *raw* as text that can't steer a terminal."""
    text = (raw or b"").decode(errors="backslashreplace")
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def shown_position(text: str) -> LetterPosition:
    """Return the place that *text* names; raises ValueError with what it should look like."""
    found = _PLACE.fullmatch(text)
    if found is None or found[1] not in DEAD_LETTERS:
        raise ValueError(f"{text!r} is no TOPIC/PARTITION/OFFSET of {' or '.join(DEAD_LETTERS)}.")
    return LetterPosition(found[1], int(found[2]), int(found[3]))


def topics(names: Collection[str]) -> tuple[str, ...]:
    """Return the dead-letter topics of those names, given with or without the ending."""
    wanted = {name if name.endswith(SUFFIX) else f"{name}{SUFFIX}" for name in names}
    if strange := wanted - set(DEAD_LETTERS):
        known = ", ".join(DEAD_LETTERS)
        raise ValueError(f"There is no dead-letter topic {min(strange)!r}, only {known}.")
    return tuple(name for name in DEAD_LETTERS if not wanted or name in wanted)


def shown(letter: Letter) -> dict[str, Any]:
    return {
        "place": str(letter.position),
        "at": rfc3339(letter.at),
        "state": letter.state,
        "reason": letter.reason,
        "key": letter.key,
        "jobId": letter.job_id,
        "origin": letter.origin,
        "size": letter.size,
        "message": letter.message,
    }
