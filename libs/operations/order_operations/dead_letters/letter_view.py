"""Dead letters as an operator sees and selects them, without their values. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from order_contracts.decoding import Invalid, parse
from order_contracts.times import rfc3339
from order_contracts.topics import ACTIONS_DLQ, EVENTS_DLQ, HANDLED, TOPICS
from order_runtime.documents.dead_letters import OPEN, REPLAYED
from order_runtime.kafka.dead_letters import JOB, PREFIX, SUFFIX, attempts_of, chain_of
from order_runtime.kafka.records import Outgoing, Record

DEAD_LETTER_TOPICS: Final = tuple(it.name for it in TOPICS if it.name.endswith(SUFFIX))
_POSITION: Final = re.compile(r"([^/]+)/(\d{1,9})/(\d{1,18})", re.ASCII)

Marks = dict[str, tuple[str, str]]
"""By position, the time of the letter (RFC 3339) and its state."""


@dataclass(frozen=True, slots=True)
class LetterPosition:
    """Topic, partition and offset of a letter; written `TOPIC/PARTITION/OFFSET`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


@dataclass(frozen=True, slots=True)
class Letter:
    """What a list may show of a dead letter: its key, size and reason, nothing of its value."""

    position: LetterPosition
    at: datetime
    key: str
    reason: str
    message: str
    origin: str
    job_id: str | None
    """The job that failed with a command; of an event or an action that can be read, its job."""
    size: int
    chain: str | None = None
    """What it has in common with the letters of its replays."""
    action_id: str | None = None
    """Of an action that can be read: the delivery that may have failed with it."""
    state: str = OPEN
    attempt: int = 1
    """How many letters there were of this record, this one included."""

    @property
    def document_id(self) -> str:
        """The `_id` of its document."""
        return f"{self.origin}/{self.attempt}"


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Selects the letters at *positions*, or else those that fit everything that is given."""

    topics: tuple[str, ...] = DEAD_LETTER_TOPICS
    positions: frozenset[LetterPosition] = frozenset()
    reason: str | None = None
    key: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    handled: bool = False
    """Whether replayed, settled and dropped letters match too; those at *positions* always do."""

    def matches(self, letter: Letter) -> bool:
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
    """Return *record* as a letter; a missing header becomes an empty text or a question mark."""
    texts = {name: printable(value) for name, value in record.headers if name.startswith(PREFIX)}
    named = _names_in(record)
    origin = (texts.get(PREFIX + part, "?") for part in ("topic", "partition", "offset"))
    return Letter(
        position=position_of(record),
        at=record.at,
        key=printable(record.key),
        reason=texts.get(f"{PREFIX}exception.class.name", ""),
        message=texts.get(f"{PREFIX}exception.message", ""),
        origin="/".join(origin),
        job_id=texts.get(JOB) or named.get("jobId"),
        size=len(record.value or b""),
        chain=chain_of(record),
        action_id=named.get("actionId"),
        attempt=max(1, attempts_of(record)),
    )


def _names_in(record: Record) -> Mapping[str, str]:
    """Return what an event or an action names of ids, where it can be read."""
    if record.topic not in {EVENTS_DLQ.name, ACTIONS_DLQ.name}:
        return {}
    try:
        value = parse(record.value or b"")
    except Invalid:
        return {}
    names = value if isinstance(value, dict) else {}
    return {it: names[it] for it in ("jobId", "actionId") if isinstance(names.get(it), str)}


def superseded(letters: Sequence[Letter]) -> list[Letter]:
    """Return *letters*; the open ones that a later letter repeats were replayed."""
    last = {
        (it.position.topic, it.chain): it.position
        for it in sorted(letters, key=lambda it: (it.at, it.position.offset))
    }
    return [
        replace(it, state=REPLAYED)
        if it.state == OPEN
        and it.chain is not None
        and last[it.position.topic, it.chain] != it.position
        else it
        for it in letters
    ]


def with_state(letter: Letter, marks: Marks) -> Letter:
    """
    Return *letter* with the state that its mark says.

    A mark counts only with the letter's time: a topic that was deleted and created again has
    other letters at the same positions.
    """
    at, state = marks.get(str(letter.position), ("", OPEN))
    return replace(letter, state=state) if at == rfc3339(letter.at) else letter


def mark_record(letter: Letter, state: str, now: datetime) -> Outgoing:
    """Return the record that marks *letter* as replayed or dropped."""
    fields = {"state": state, "letterAt": rfc3339(letter.at), "at": rfc3339(now)}
    return Outgoing(HANDLED.name, str(letter.position).encode(), json.dumps(fields).encode())


def mark_of(record: Record) -> Marks:
    """Return the mark that a record of `mark_record` holds; the later of two replaces the other."""
    fields = json.loads(record.value or b"")
    return {(record.key or b"").decode(): (fields["letterAt"], fields["state"])}


def printable(raw: bytes | None) -> str:
    """Return *raw* as text without control characters, so that it can't steer a terminal."""
    text = (raw or b"").decode(errors="backslashreplace")
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def parse_position(text: str) -> LetterPosition:
    """Return the position that *text* names; raises ValueError with what it should look like."""
    found = _POSITION.fullmatch(text)
    if found is None or found[1] not in DEAD_LETTER_TOPICS:
        known = " or ".join(DEAD_LETTER_TOPICS)
        raise ValueError(f"{text!r} is no TOPIC/PARTITION/OFFSET of {known}.")
    return LetterPosition(found[1], int(found[2]), int(found[3]))


def parse_topics(names: Collection[str]) -> tuple[str, ...]:
    """
    Return the dead-letter topics of those names, given with or without `.dlq`; all for none.

    Raises ValueError for a name that has no dead-letter topic.
    """
    wanted = {name if name.endswith(SUFFIX) else f"{name}{SUFFIX}" for name in names}
    if unknown := wanted - set(DEAD_LETTER_TOPICS):
        known = ", ".join(DEAD_LETTER_TOPICS)
        raise ValueError(f"There is no dead-letter topic {min(unknown)!r}, only {known}.")
    return tuple(name for name in DEAD_LETTER_TOPICS if not wanted or name in wanted)


def json_of(letter: Letter) -> dict[str, Any]:
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
