"""Which dead letters are meant, and what is shown of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from order_operations.dead_letters.letter_view import (
    Letter,
    LetterFilter,
    LetterPosition,
    json_of,
    letter_of,
    mark_of,
    mark_record,
    parse_position,
    printable,
    superseded,
    with_state,
)
from order_runtime.documents.dead_letters import DROPPED, OPEN, REPLAYED
from order_runtime.kafka.dead_letters import dead_letter
from order_runtime.kafka.records import Outgoing, Record
from order_stack.cli.main import app
from support.builders.commands import AT, raw_record

SECRET = b'{"person": "kim@example.com"}'


def sent(record: Record, job_id: str | None = None) -> Outgoing:
    letter = dead_letter(
        record, service="order-writer", code="ValidationFailed", reason="No.", job_id=job_id
    )
    assert letter is not None
    return letter


def read_back(sent: Outgoing, partition: int = 3, offset: int = 7) -> Record:
    return Record(sent.topic, partition, offset, AT, sent.key, sent.value, sent.headers)


SENT = sent(raw_record(SECRET, "o-1"), "j")
LETTER = letter_of(read_back(SENT))


def test_a_list_shows_where_when_and_why_and_nothing_of_the_value() -> None:
    assert json_of(LETTER) | {"origin": ""} == {
        "place": "orders.commands.dlq/3/7",
        "at": "2025-11-28T12:00:00.000Z",
        "state": "open",
        "reason": "ValidationFailed",
        "key": "o-1",
        "jobId": "j",
        "origin": "",
        "size": len(SECRET),
        "message": "No.",
    }


def test_a_letter_whose_headers_are_broken_is_listed_too() -> None:
    broken = letter_of(Record("orders.events.dlq", 0, 0, AT, None, None))
    assert (broken.reason, broken.origin, broken.job_id) == ("", "?/?/?", None)


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        (LetterFilter(), True),
        (LetterFilter(reason="ValidationFailed", key="o-1"), True),
        (LetterFilter(reason="Unreadable"), False),
        (LetterFilter(key="o-2"), False),
        (LetterFilter(since=AT), True),
        (LetterFilter(since=AT + timedelta(seconds=1)), False),
        (LetterFilter(until=AT), False),
        (LetterFilter(until=AT + timedelta(seconds=1)), True),
        (LetterFilter(positions=frozenset({LETTER.position})), True),
        (LetterFilter(positions=frozenset({replace(LETTER.position, offset=8)})), False),
    ],
)
def test_what_is_given_bounds_what_is_meant(wanted: LetterFilter, *, meant: bool) -> None:
    assert wanted.matches(LETTER) is meant


def test_what_was_handled_is_meant_only_if_it_is_named_or_asked_for() -> None:
    done = replace(LETTER, state=DROPPED)
    assert not LetterFilter().matches(done)
    assert LetterFilter(handled=True).matches(done)
    assert LetterFilter(positions=frozenset({done.position})).matches(done)


def state_after(letter: Letter, *marks: Outgoing) -> str:
    known: dict[str, tuple[str, str]] = {}
    for each in marks:
        known |= mark_of(read_back(each))
    return with_state(letter, known).state


def test_a_mark_is_of_one_letter() -> None:
    """Not of its neighbour, nor of what lies there when the topic was made anew."""
    dropped = mark_record(LETTER, DROPPED, AT)
    assert state_after(LETTER, dropped) == DROPPED
    assert state_after(replace(LETTER, position=LetterPosition(SENT.topic, 3, 8)), dropped) == OPEN
    assert state_after(replace(LETTER, at=AT + timedelta(days=1)), dropped) == OPEN


def test_of_several_marks_the_last_one_holds() -> None:
    assert state_after(
        LETTER, mark_record(LETTER, DROPPED, AT), mark_record(LETTER, "replayed", AT)
    ) == ("replayed")


def test_of_the_letters_of_one_record_only_the_last_is_open() -> None:
    """Whoever sent it again: the later letter says that it failed once more, and why."""
    copied = Record("orders.commands", 1, 2, AT, SENT.key, SENT.value, SENT.headers)
    again = letter_of(replace(read_back(sent(copied, "j"), 0, 1), at=AT + timedelta(seconds=1)))
    other = letter_of(read_back(sent(raw_record(SECRET, "o-1"), "other"), 3, 9))
    states = [it.state for it in superseded([again, LETTER, other])]
    assert states == [OPEN, REPLAYED, OPEN]


def test_what_was_dropped_or_says_nothing_of_its_record_is_never_superseded() -> None:
    dropped = replace(LETTER, state=DROPPED)
    later = replace(LETTER, position=LetterPosition(SENT.topic, 3, 8))
    assert superseded([dropped, later]) == [dropped, later]
    unknown = [replace(it, chain=None) for it in (LETTER, later)]
    assert superseded(unknown) == unknown


@pytest.mark.parametrize(
    ("topic", "value", "named"),
    [
        ("orders.events", b'{"jobId": "j-1"}', ("j-1", None)),
        ("orders.actions", b'{"jobId": "j-1", "actionId": "a-1"}', ("j-1", "a-1")),
        ("orders.actions", b'{"jobId": 1, "actionId": null}', (None, None)),
        ("orders.actions", b'["jobId"]', (None, None)),
        ("orders.events", b"{", (None, None)),
        ("orders.events", None, (None, None)),
        ("orders.commands", b'{"jobId": "j-1", "actionId": "a-1"}', (None, None)),
    ],
)
def test_the_ids_of_an_event_or_action_tell_what_became_of_it(
    topic: str, value: bytes | None, named: tuple[str | None, str | None]
) -> None:
    """A command's are its sender's, and say nothing."""
    letter = letter_of(read_back(sent(Record(topic, 0, 0, AT, None, value))))
    assert (letter.job_id, letter.action_id) == named


@pytest.mark.parametrize(
    ("text", "seen"), [(b"o-1", "o-1"), (b"\x1b[31m", "\\x1b[31m"), (b"\xff", "\\xff"), (None, "")]
)
def test_a_key_can_not_steer_the_terminal(text: bytes | None, seen: str) -> None:
    assert printable(text) == seen


def test_a_place_is_read_as_it_is_written() -> None:
    assert parse_position(str(LETTER.position)) == LETTER.position


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["replay"], "Say which"),
        (["drop"], "Say which"),
        (["replay", "orders.commands/1/2"], "is no TOPIC/PARTITION/OFFSET"),
        (["drop", "orders.commands.dlq/-1/2"], "is no TOPIC/PARTITION/OFFSET"),
        (["list", "--topic", "orders.enriched"], "no dead-letter topic"),
        (["list", "--since", "yesterday"], "is no time"),
        (["drop", "orders.commands.dlq/0/1", "--key", "x"], "not both"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, list) else "",
)
def test_what_can_not_be_meant_is_said_in_a_sentence(args: list[str], words: str) -> None:
    done = CliRunner().invoke(app, ["dlq", *args])
    assert (done.exit_code, words in done.stderr) == (1, True), done.stderr
