"""What identifies a record, whatever is wrong with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from order_contracts.topics import COMMANDS, MIB
from order_runtime.kafka.records import Record
from order_writer.domain.record_ids import (
    bytes_fingerprint,
    exceeds_topic_limit,
    order_id_of_key,
    position_id,
    readable_id,
    record_size,
    replayed_id,
)
from support.builders.commands import raw_record

SENT = raw_record(b"{}", job_id="job-1")
POSITION_ID = "e41f7350-f4b1-578e-bb16-3fd1090b54f8"


def with_headers(*headers: tuple[str, bytes | None]) -> Record:
    return replace(SENT, headers=headers)


@pytest.mark.parametrize(
    "other",
    [
        replace(SENT, value=b"{ }"),
        replace(SENT, value=None),
        replace(SENT, key=b"o-2"),
        replace(SENT, headers=(*SENT.headers, ("ce_actions", b"suppress"))),
        replace(SENT, headers=(*SENT.headers, ("CE_Actions", b"suppress"))),
        replace(SENT, headers=(*SENT.headers, ("content-type", b"text/plain"))),
        replace(SENT, headers=(*SENT.headers, ("Content-Type", b"text/plain"))),
        replace(SENT, headers=()),
    ],
)
def test_other_bytes_have_another_fingerprint(other: Record) -> None:
    assert bytes_fingerprint(other) != bytes_fingerprint(SENT)


@pytest.mark.parametrize(
    "same",
    [
        replace(SENT, offset=SENT.offset + 1, partition=SENT.partition + 1),
        replace(SENT, headers=tuple(reversed(SENT.headers))),
        replace(SENT, headers=(*SENT.headers, ("orders-replay", b"job-1"))),
        replace(SENT, headers=(*SENT.headers, ("traceparent", b"00-1-2-01"))),
    ],
)
def test_a_record_that_is_sent_again_has_the_same_fingerprint(same: Record) -> None:
    """At another position, with the headers of a replay and of whoever carried it."""
    assert bytes_fingerprint(same) == bytes_fingerprint(SENT)


@pytest.mark.parametrize(
    ("headers", "job_id"),
    [
        ([], None),
        ([("orders-replay", b"job-1")], "job-1"),
        ([("Orders-Replay", b"job-1")], "job-1"),
        ([("orders-replay", b"job-1"), ("orders-replay", b"job-2")], None),
        ([("orders-replay", b"topic/1/2")], None),
        ([("orders-replay", b"\xff")], None),
        ([("orders-replay", None)], None),
    ],
)
def test_a_replay_names_one_job(
    headers: list[tuple[str, bytes | None]], job_id: str | None
) -> None:
    assert replayed_id(with_headers(*headers)) == job_id


@pytest.mark.parametrize(
    ("headers", "job_id"),
    [
        ([("ce_id", b"job-1"), ("ce_type", b"\xff")], "job-1"),
        ([("CE_ID", b"job-1")], "job-1"),
        ([("ce_id", b"a b")], None),
        ([("ce_id", b"job-1"), ("ce_id", b"job-1")], None),
        ([], None),
    ],
)
def test_the_senders_id_is_read_where_it_can_be(
    headers: list[tuple[str, bytes | None]], job_id: str | None
) -> None:
    assert readable_id(with_headers(*headers)) == job_id


@pytest.mark.parametrize(
    ("key", "order_id"),
    [
        (b"o-1", "o-1"),
        (b"o", "o"),
        (b"o" * 255, "o" * 255),
        (b"o" * 256, None),
        (b"", None),
        (None, None),
        (b"\xff", None),
    ],
)
def test_a_key_is_an_order_id_where_it_could_be_one(
    key: bytes | None, order_id: str | None
) -> None:
    assert order_id_of_key(replace(SENT, key=key)) == order_id


def test_everything_that_a_record_carries_counts_for_its_topics_limit() -> None:
    """Key, value, and the names and values of headers, in bytes of UTF-8."""
    named = ("ä", b"12")
    record = Record("orders.commands", 0, 0, SENT.at, b"key", b"x" * (MIB - 7), (named,))
    assert not exceeds_topic_limit(record)
    for larger in (
        replace(record, key=b"key+"),
        replace(record, value=b"x" * (MIB - 6)),
        replace(record, headers=(("ä", b"123"),)),
        replace(record, headers=(("ää", b"12"),)),
        replace(record, headers=(named, ("b", None))),
    ):
        assert exceeds_topic_limit(larger)


def test_a_record_weighs_what_its_value_does() -> None:
    assert (record_size(SENT), record_size(replace(SENT, value=None))) == (2, 0)


def test_a_position_keeps_its_id_over_releases() -> None:
    """Else a record that is read again after an upgrade would be another command."""
    assert position_id(replace(SENT, partition=3, offset=7), "topic-1") == POSITION_ID


def test_a_record_without_a_key_may_fill_the_whole_limit() -> None:
    full = replace(SENT, key=None, headers=(), value=b"x" * COMMANDS.max_message_bytes)

    assert not exceeds_topic_limit(full)
    assert exceeds_topic_limit(replace(full, key=b"k"))
