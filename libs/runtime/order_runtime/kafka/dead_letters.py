"""
Dead letters: the original bytes, with the reason and the origin in Kafka Connect's headers.

`dead_letter` makes one of a record that can't be handled; `replay_of` makes of a dead letter the
record that is sent again. Whoever sends the letter's key, value and headers to its origin as they
are, by any tool, does the same: the headers that make it a replay are in the letter. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from order_contracts.derived_ids import JOB_ID
from order_contracts.topics import MIB, TOPICS
from order_runtime.kafka.records import Outgoing, Record, wire_size

PREFIX: Final = "__connect.errors."
JOB: Final = f"{PREFIX}job.id"
SUFFIX: Final = ".dlq"
REPLAY: Final = "orders-replay"
ATTEMPT: Final = "orders-attempt"
MAX_ATTEMPTS: Final = 5  # letters of one record, each of a replay of the one before
MAX_REASON: Final = 4_000  # characters
PLACE_ONLY: Final = "It is too large for a dead letter, which only says where it is."
_LIMITS: Final = {topic.name: topic.max_message_bytes for topic in TOPICS}
_PLACE: Final = re.compile(r"[a-z.]{1,249}/\d{1,10}/\d{1,19}", re.ASCII)
_ATTEMPT: Final = re.compile(rb"[1-9][0-9]{0,5}")

RecordHeaders = tuple[tuple[str, bytes | None], ...]


class NotReplayable(ValueError):
    """A dead letter that can't be sent to where it came from; says what it lacks."""


def dead_letter(
    record: Record,
    *,
    service: str,
    code: str,
    reason: str,
    job_id: str | None = None,
    place_only: bool = False,
) -> Outgoing | None:
    """
    Return *record* for the dead-letter topic of the topic it came from.

    None where it was sent again MAX_ATTEMPTS times: whatever copies the dead letters back to their
    topic must not do so for ever. *reason* must not repeat what the record holds: a header is read
    in dashboards. *job_id* is the job that failed with it, which a replay has to name.
    *place_only* says that *record* lacks the bytes that it came with, so that there is nothing to
    send again. The topic takes every letter: of a record that doesn't fit, it keeps nothing but
    its place.
    """
    attempt = attempts_of(record) + 1
    if attempt > MAX_ATTEMPTS:
        return None
    topic = f"{record.topic}{SUFFIX}"
    why = _why(record, service, code, reason[:MAX_REASON])
    if job_id is not None:
        why[JOB.removeprefix(PREFIX)] = job_id
    count = (ATTEMPT, str(attempt).encode())
    headers = (*original_headers(record.headers), *_texts(why))
    if not place_only and record.unreadable is None:
        headers = (*headers, (REPLAY, (job_id or _replayed_place(record)).encode()))
    letter = Outgoing(topic, record.key, record.value, (*headers, count))
    if wire_size(letter) <= _LIMITS.get(topic, MIB):
        return letter
    why["exception.message"] = f"{reason[: MAX_REASON - len(PLACE_ONLY) - 1]} {PLACE_ONLY}"
    return Outgoing(topic, None, None, (*_texts(why), count))


def _why(record: Record, service: str, code: str, reason: str) -> dict[str, str]:
    """
    Return why there is a dead letter of *record*, and where it was.

    Of a batch that can't be read, its first and its last offset.
    """
    first = record.offset if record.first_offset is None else record.first_offset
    why = {
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(first),
        "connector.name": service,
        "exception.class.name": code,
        "exception.message": reason,
    }
    return why if record.first_offset is None else why | {"last.offset": str(record.offset)}


def _texts(why: Mapping[str, str]) -> tuple[tuple[str, bytes], ...]:
    return tuple((PREFIX + name, text.encode()) for name, text in why.items())


def attempts_of(record: Record) -> int:
    """Return how many dead letters there were of this record: 0 unless it is a replay of one."""
    told = [value or b"" for name, value in record.headers if name.lower() == ATTEMPT]
    return max((int(value) for value in told if _ATTEMPT.fullmatch(value)), default=0)


def is_given_up(record: Record) -> bool:
    """Return whether there is no further dead letter of this record."""
    return attempts_of(record) >= MAX_ATTEMPTS


def replay_of(letter: Record) -> Outgoing:
    """
    Return the record that repeats *letter* on the topic it came from; raises NotReplayable.

    Key, value and headers are the original ones, and `orders-replay` and `orders-attempt` those of
    the letter. A letter of an older release has neither: `orders-replay` then names the job that
    failed with it or, where it had none, the letter's own topic, partition and offset. The key
    decides the partition, whichever the original was on.
    """
    headers = dict(letter.headers)
    origin = letter.topic.removesuffix(SUFFIX)
    if origin == letter.topic or headers.get(f"{PREFIX}topic") != origin.encode():
        raise NotReplayable(f"The header {PREFIX}topic doesn't name the topic it came from")
    added: list[tuple[str, bytes | None]]
    if ATTEMPT not in headers:
        place = f"{letter.topic}/{letter.partition}/{letter.offset}"
        added = [(REPLAY, headers.get(JOB) or place.encode())]
    elif REPLAY not in headers:
        raise NotReplayable("It tells the place of its record alone, without what that held")
    else:
        added = [(REPLAY, headers[REPLAY]), (ATTEMPT, headers[ATTEMPT])]
    return Outgoing(origin, letter.key, letter.value, (*original_headers(letter.headers), *added))


def chain_of(letter: Record | Outgoing) -> str | None:
    """
    Return what a letter has in common with the letters of its replays.

    None where it has nothing: a letter of an older release without a job.
    """
    headers = dict(letter.headers)
    named = headers.get(REPLAY) if ATTEMPT in headers else None
    value = named or headers.get(JOB)
    return None if value is None else value.decode(errors="replace")


def replayed_chain(record: Record) -> str | None:
    """Return what *record* repeats, as `orders-replay` says; None where it is no replay."""
    is_replay = any(name.lower() == REPLAY for name, _ in record.headers)
    return _replayed_place(record) if is_replay else None


def original_headers(headers: Iterable[tuple[str, bytes | None]]) -> RecordHeaders:
    """Return the headers that the sender gave: neither the reason nor a replay's."""
    return tuple(
        pair
        for pair in headers
        if not pair[0].startswith(PREFIX) and pair[0].lower() not in {REPLAY, ATTEMPT}
    )


def _replayed_place(record: Record) -> str:
    """Return what *record* repeats, as it says itself, or else its own place."""
    told = [value or b"" for name, value in record.headers if name.lower() == REPLAY]
    text = told[0].decode(errors="replace") if len(told) == 1 else ""
    if _PLACE.fullmatch(text) or JOB_ID.fullmatch(text):
        return text
    return f"{record.topic}/{record.partition}/{record.offset}"
