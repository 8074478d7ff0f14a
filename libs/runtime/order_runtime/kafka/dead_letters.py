"""
Dead letters: the original bytes, with the reason and the origin in Kafka Connect's headers.

`dead_letter` makes one of a record that can't be handled; `replay_of` makes of a dead letter the
record that is sent again. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from order_contracts.topics import MIB, TOPICS
from order_runtime.kafka.records import Outgoing, Record, wire_size

PREFIX: Final = "__connect.errors."
JOB: Final = f"{PREFIX}job.id"
SUFFIX: Final = ".dlq"
REPLAY: Final = "orders-replay"
MAX_REASON: Final = 4_000  # characters
PLACE_ONLY: Final = "It is too large for a dead letter, which only says where it is."
_LIMITS: Final = {topic.name: topic.max_message_bytes for topic in TOPICS}


class NotReplayable(ValueError):
    """A dead letter whose headers don't tell where it came from; says what is wrong with them."""


def dead_letter(
    record: Record, *, service: str, code: str, reason: str, job_id: str | None = None
) -> Outgoing:
    """
    Return *record* for the dead-letter topic of the topic it came from.

    *reason* must not repeat what the record holds: a header is read in dashboards. *job_id* is
    the job that failed with it, which a replay has to name.

    The topic takes every letter: of a record that doesn't fit, it keeps nothing but its place.
    """
    topic = f"{record.topic}{SUFFIX}"
    why = _place(record) | {
        "connector.name": service,
        "exception.class.name": code,
        "exception.message": reason[:MAX_REASON],
    }
    if job_id is not None:
        why[JOB.removeprefix(PREFIX)] = job_id
    # A record that was replayed and failed again carries the headers of its last failure only.
    kept = tuple(pair for pair in record.headers if not pair[0].startswith(PREFIX))
    letter = Outgoing(topic, record.key, record.value, kept + _texts(why))
    if wire_size(letter) <= _LIMITS.get(topic, MIB):
        return letter
    why["exception.message"] = f"{reason[: MAX_REASON - len(PLACE_ONLY) - 1]} {PLACE_ONLY}"
    return Outgoing(topic, None, None, _texts(why))


def _place(record: Record) -> dict[str, str]:
    """Return where *record* is; of a batch that can't be read, its first and its last offset."""
    place = {"topic": record.topic, "partition": str(record.partition)}
    if record.first_offset is None:
        return place | {"offset": str(record.offset)}
    return place | {"offset": str(record.first_offset), "last.offset": str(record.offset)}


def _texts(why: Mapping[str, str]) -> tuple[tuple[str, bytes], ...]:
    return tuple((PREFIX + name, text.encode()) for name, text in why.items())


def replay_of(letter: Record) -> Outgoing:
    """
    Return the record that repeats *letter* on the topic it came from; raises NotReplayable.

    Key, value and headers are the original ones. The header `orders-replay` names the job that
    failed with it, or, where it had none, the letter's own topic, partition and offset. The key
    decides the partition, whichever the original was on.
    """
    headers = dict(letter.headers)
    origin = letter.topic.removesuffix(SUFFIX)
    if origin == letter.topic or headers.get(f"{PREFIX}topic") != origin.encode():
        raise NotReplayable(f"The header {PREFIX}topic doesn't name the topic it came from")
    repeats = headers.get(JOB) or f"{letter.topic}/{letter.partition}/{letter.offset}".encode()
    return Outgoing(
        origin, letter.key, letter.value, (*original_headers(letter), (REPLAY, repeats))
    )


def original_headers(letter: Record) -> tuple[tuple[str, bytes | None], ...]:
    """Return the headers that the sender gave: neither the reason nor an earlier replay's."""
    return tuple(
        pair
        for pair in letter.headers
        if not pair[0].startswith(PREFIX) and pair[0].lower() != REPLAY
    )
