"""A dead letter is the record as it came, with where from and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from order_contracts.topics import COMMANDS_DLQ, DEAD_LETTER_HEADERS, TOPICS
from order_runtime.kafka.dead_letters import (
    MAX_ATTEMPTS,
    MAX_REASON,
    PLACE_ONLY,
    PREFIX,
    NotReplayable,
    attempts_of,
    chain_of,
    dead_letter,
    is_given_up,
    replay_of,
)
from order_runtime.kafka.records import Outgoing, Record, wire_size
from support.builders.commands import AT
from support.builders.stored_batches import StoredBytes, batch_bytes

HEADERS = (("ce_id", b"job-1"), ("b3", b"\xff"), ("empty", None))
RECORD = Record("orders.commands", 3, 42, AT, b"\xff", b"{", HEADERS)


def letter(
    record: Record = RECORD, reason: str = "Is not JSON", job_id: str | None = None
) -> Outgoing:
    """Return the dead letter of *record*, which has one."""
    made = dead_letter(
        record, service="order-writer", code="ValidationFailed", reason=reason, job_id=job_id
    )
    assert made is not None
    return made


def mirrored(sent: Outgoing) -> Record:
    """Return what a tool puts on the topic of origin that copies a dead letter as it is."""
    origin = sent.topic.removesuffix(".dlq")
    return Record(origin, 5, 43, AT, sent.key, sent.value, sent.headers)


def values(sent: Outgoing, name: str) -> list[bytes | None]:
    return [value for header, value in sent.headers if header == name]


def test_the_bytes_are_the_original_ones() -> None:
    """Key, value and headers, however broken: a replay sends them again."""
    sent = letter()
    assert (sent.topic, sent.key, sent.value) == ("orders.commands.dlq", b"\xff", b"{")
    assert sent.headers[:3] == HEADERS


def test_the_reason_and_the_origin_are_text_that_tools_know() -> None:
    told = {
        name.removeprefix(PREFIX): value
        for name, value in letter().headers
        if name.startswith(PREFIX)
    }
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


def read_back(sent: Outgoing, partition: int = 7, offset: int = 8) -> Record:
    return Record(sent.topic, partition, offset, AT, sent.key, sent.value, sent.headers)


REPLAYS_JOB_1 = (("orders-replay", b"job-1"), ("orders-attempt", b"1"))


def test_a_replay_is_the_original_record_and_names_its_job() -> None:
    sent = replay_of(read_back(letter(job_id="job-1")))
    assert (sent.topic, sent.key, sent.value) == (RECORD.topic, RECORD.key, RECORD.value)
    assert sent.headers == (*HEADERS, *REPLAYS_JOB_1)


def test_a_letter_has_the_headers_of_its_replay_from_the_start() -> None:
    """So any tool that sends its key, value and headers to the origin does as `orders dlq`."""
    made = letter(job_id="job-1")
    assert made.headers[-2:] == REPLAYS_JOB_1
    again = letter(mirrored(made), job_id="job-1")
    assert again == letter(read_back(replay_of(read_back(made)), 5, 43), job_id="job-1")


def test_the_next_letter_has_every_header_once_and_counts() -> None:
    second = letter(mirrored(letter(job_id="job-1")), job_id="job-1")
    names = [name for name, _ in second.headers]
    assert len(names) == len(set(names))
    assert (values(second, "orders-replay"), values(second, "orders-attempt")) == (
        [b"job-1"],
        [b"2"],
    )


def test_a_mirror_of_the_dead_letters_ends_after_five() -> None:
    record, letters = RECORD, 0
    while made := dead_letter(record, service="w", code="C", reason="r", job_id="job-1"):
        letters, record = letters + 1, mirrored(made)
        assert letters <= MAX_ATTEMPTS
        assert is_given_up(record) is (letters == MAX_ATTEMPTS)
    assert letters == MAX_ATTEMPTS == 5


def test_without_a_job_a_letter_names_the_place_of_its_record_through_all_replays() -> None:
    first = letter()
    second = letter(mirrored(first))
    assert values(first, "orders-replay") == [b"orders.commands/3/42"]
    assert values(second, "orders-replay") == [b"orders.commands/3/42"]
    assert chain_of(read_back(first)) == chain_of(read_back(second)) == "orders.commands/3/42"


@pytest.mark.parametrize("told", [b"", b"a b", b"\xff", b"x" * 70_000, None])
def test_what_no_letter_of_ours_said_is_not_kept(told: bytes | None) -> None:
    record = Record("orders.events", 0, 1, AT, None, None, (("Orders-Replay", told),))
    assert values(letter(record), "orders-replay") == [b"orders.events/0/1"]
    assert values(letter(record), "Orders-Replay") == []


@pytest.mark.parametrize(
    ("told", "attempts"),
    [
        ((), 0),
        ((b"3",), 3),
        ((b"1", b"4", None), 4),
        ((b"0",), 0),
        ((b"-1", b"x", b"", b"\xff", b"9" * 50), 0),
    ],
)
def test_attempts_are_counted_by_what_can_be_read(
    told: tuple[bytes | None, ...], attempts: int
) -> None:
    headers = tuple(("Orders-Attempt", value) for value in told)
    assert attempts_of(Record("orders.events", 0, 1, AT, None, None, headers)) == attempts


def test_where_only_the_place_was_kept_nothing_can_be_sent_again() -> None:
    """But the letters are counted all the same: they may be mirrored as well."""
    made = dead_letter(
        Record("orders.commands", 3, 42, AT, b"o-1", None),
        service="w",
        code="TooLarge",
        reason="r",
        job_id="job-1",
        place_only=True,
    )
    assert made is not None
    assert (values(made, "orders-replay"), values(made, "orders-attempt")) == ([], [b"1"])
    with pytest.raises(NotReplayable, match="place"):
        replay_of(read_back(made))


def test_the_largest_letter_fits_into_its_topic() -> None:
    """What is added is at most DEAD_LETTER_HEADERS, whatever the record and the reason are."""
    longest = max((topic.name for topic in TOPICS), key=len)
    record = Record(longest, 2**31 - 1, 2**63 - 1, AT, None, None)
    made = letter(record, "\N{GRINNING FACE}" * 10_000, "j" * 255)
    assert sum(len(name) + len(value or b"") for name, value in made.headers) < DEAD_LETTER_HEADERS


def without(sent: Outgoing, *names: str) -> Record:
    """Return *sent* as a release wrote it that had no such headers."""
    kept = tuple(pair for pair in sent.headers if pair[0] not in names)
    return replace(read_back(sent), headers=kept)


def test_a_letter_of_an_older_release_is_replayed_by_its_job_or_its_own_place() -> None:
    added = ("orders-replay", "orders-attempt")
    with_job, with_none = without(letter(job_id="job-1"), *added), without(letter(), *added)
    assert replay_of(with_job).headers == (*HEADERS, ("orders-replay", b"job-1"))
    place = ("orders-replay", b"orders.commands.dlq/7/8")
    assert replay_of(with_none).headers == (*HEADERS, place)
    assert (chain_of(with_job), chain_of(with_none)) == ("job-1", None)


def test_a_letter_of_an_older_release_that_was_replayed_before_says_so_once() -> None:
    """It kept the header of the first replay, which named the first letter."""
    old = without(letter(job_id="job-1"), "orders-replay", "orders-attempt")
    old = replace(old, headers=(("orders-replay", b"orders.commands.dlq/0/1"), *old.headers))
    assert replay_of(old).headers == (*HEADERS, ("orders-replay", b"job-1"))


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
    assert all(name.startswith(PREFIX) for name in told.keys() - {"orders-attempt"})
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
