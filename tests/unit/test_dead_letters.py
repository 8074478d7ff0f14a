"""A dead letter is the record as it came, with where from and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from order_contracts.topics import COMMANDS_DLQ
from order_runtime.kafka.dead_letters import (
    MAX_REASON,
    PLACE_ONLY,
    PREFIX,
    NotReplayable,
    dead_letter,
    replay_of,
)
from order_runtime.kafka.records import Outgoing, Record, wire_size
from support.builders.commands import AT
from support.builders.stored_batches import StoredBytes, batch_bytes

HEADERS = (("ce_id", b"job-1"), ("b3", b"\xff"), ("empty", None))
RECORD = Record("orders.commands", 3, 42, AT, b"\xff", b"{", HEADERS)


def letter(record: Record = RECORD, reason: str = "Is not JSON") -> Outgoing:
    return dead_letter(record, service="order-writer", code="ValidationFailed", reason=reason)


def test_the_bytes_are_the_original_ones() -> None:
    """Key, value and headers, however broken: a replay sends them again."""
    sent = letter()
    assert (sent.topic, sent.key, sent.value) == ("orders.commands.dlq", b"\xff", b"{")
    assert sent.headers[:3] == HEADERS


def test_the_reason_and_the_origin_are_text_that_tools_know() -> None:
    told = {name.removeprefix(PREFIX): value for name, value in letter().headers[3:]}
    assert told == {
        "topic": b"orders.commands",
        "partition": b"3",
        "offset": b"42",
        "connector.name": b"order-writer",
        "exception.class.name": b"ValidationFailed",
        "exception.message": b"Is not JSON",
    }


def test_a_reason_is_bounded() -> None:
    """Else the letter could outgrow its topic, and the service would stop at it."""
    told = dict(letter(reason="é" * 100_000).headers)
    assert len((told[f"{PREFIX}exception.message"] or b"").decode()) == MAX_REASON


def test_a_letter_that_fails_again_tells_of_its_last_failure_only() -> None:
    first = letter(reason="first")
    again = Record("orders.commands", 5, 43, AT, first.key, first.value, first.headers)
    names = [name for name, _ in letter(again, reason="second").headers]
    assert len(names) == len(set(names))
    assert dict(letter(again, reason="second").headers)[f"{PREFIX}exception.message"] == b"second"


def test_a_letter_without_key_or_value_is_one_too() -> None:
    sent = letter(Record("orders.events", 0, 0, AT, None, None))
    assert (sent.topic, sent.key, sent.value) == ("orders.events.dlq", None, None)


def read_back(sent: Outgoing) -> Record:
    return Record(sent.topic, 7, 8, AT, sent.key, sent.value, sent.headers)


def test_a_replay_is_the_original_record_and_names_its_job() -> None:
    letter = dead_letter(RECORD, service="w", code="C", reason="r", job_id="job-1")
    sent = replay_of(read_back(letter))
    assert (sent.topic, sent.key, sent.value) == (RECORD.topic, RECORD.key, RECORD.value)
    assert sent.headers == (*HEADERS, ("orders-replay", b"job-1"))


def test_a_replay_that_fails_and_is_replayed_again_says_so_once() -> None:
    first = dead_letter(RECORD, service="w", code="C", reason="r", job_id="job-1")
    again = replay_of(read_back(first))
    second = dead_letter(read_back(again), service="w", code="C", reason="r", job_id="job-1")
    assert replay_of(read_back(second)) == again


def test_without_a_job_a_replay_names_the_place_of_its_letter() -> None:
    assert replay_of(read_back(letter())).headers[-1] == (
        "orders-replay",
        b"orders.commands.dlq/7/8",
    )


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((f"{PREFIX}topic", b"orders.events"),),
        ((f"{PREFIX}topic", None),),
    ],
    ids=["none", "another topic", "no value"],
)
def test_a_letter_that_does_not_tell_its_origin_can_not_be_replayed(
    headers: tuple[tuple[str, bytes | None], ...],
) -> None:
    """Nobody may have a record sent where he likes by writing into a dead-letter topic."""
    with pytest.raises(NotReplayable, match="topic"):
        replay_of(Record("orders.commands.dlq", 0, 0, AT, None, None, headers))
    with pytest.raises(NotReplayable, match="topic"):
        replay_of(RECORD)


@pytest.mark.parametrize(
    "record",
    [
        replace(RECORD, value=b"x" * 1_200_000),
        replace(RECORD, key=b"x" * 1_200_000),
        replace(RECORD, headers=(("name", b"x" * 1_200_000),)),
        replace(RECORD, headers=(("h", b""),) * 400_000),
    ],
)
def test_what_its_topic_would_not_take_is_a_letter_of_its_place_alone(record: Record) -> None:
    """Else the service would stop at the letter, with everything behind it."""
    sent = letter(record, reason="r" * MAX_REASON)
    told = dict(sent.headers)

    assert (sent.key, sent.value) == (None, None)
    assert all(name.startswith(PREFIX) for name in told)
    assert (told[f"{PREFIX}partition"], told[f"{PREFIX}offset"]) == (b"3", b"42")
    assert (told[f"{PREFIX}exception.message"] or b"").endswith(PLACE_ONLY.encode())
    assert wire_size(sent) <= COMMANDS_DLQ.max_message_bytes


def test_a_letter_that_its_topic_just_takes_is_whole() -> None:
    room = COMMANDS_DLQ.max_message_bytes - wire_size(letter(replace(RECORD, value=b"")))
    assert letter(replace(RECORD, value=b"x" * (room - 4))).value
    assert letter(replace(RECORD, value=b"x" * (room + 1))).value is None


def test_a_batch_that_cannot_be_read_is_told_by_its_first_and_last_offset() -> None:
    batch = Record("orders.commands", 3, 49, AT, None, None, unreadable="why", first_offset=42)
    told = dict(letter(batch).headers)
    assert (told[f"{PREFIX}offset"], told[f"{PREFIX}last.offset"]) == (b"42", b"49")


def test_a_record_has_the_size_of_its_batch_on_the_wire() -> None:
    """At most: a time or an offset may take some bytes fewer than they can."""
    headers = [(b"ce_id", b"x" * 200), (b"none", None), (b"", b"")]
    stored = StoredBytes(b"key", b"x" * 70_000, headers)
    pairs = tuple((name.decode(), value) for name, value in headers)
    sent = Outgoing("orders.commands", stored.key, stored.value, pairs)
    assert 0 <= wire_size(sent) - len(batch_bytes([stored])) < 32
