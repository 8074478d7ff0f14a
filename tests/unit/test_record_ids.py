"""What identifies a record, whatever is wrong with it."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from order_contracts.topics import COMMANDS, MIB
from order_runtime.documents.dead_letters import order_id_of_key
from order_runtime.kafka.records import Record, size_bound, wire_size
from order_writer.domain.record_ids import (
    bytes_fingerprint,
    exceeds_topic_limit,
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


def limited(**change: Any) -> Record:
    """Return a record of exactly its topic's limit, or one that is changed by *change*."""
    full = Record("orders.commands", 0, 0, SENT.at, b"key", b"", (("ä", b"12"),))
    room = COMMANDS.max_message_bytes - wire_size(full)
    return replace(full, value=b"x" * room, **change)


def test_everything_that_a_record_carries_counts_for_its_topics_limit() -> None:
    """Key, value, and the names and values of headers, in bytes of UTF-8."""
    assert not exceeds_topic_limit(limited())
    for change in (
        {"key": b"key+"},
        {"headers": (("ä", b"123"),)},
        {"headers": (("ää", b"12"),)},
        {"headers": (("ä", b"12"), ("", None))},
    ):
        assert exceeds_topic_limit(limited(**change))


def test_headers_of_one_byte_count_with_their_lengths() -> None:
    """700,000 of them passed for 700 KB, and made a dead letter that no topic takes."""
    assert exceeds_topic_limit(with_headers(*[("h", b"")] * 400_000))


@pytest.mark.parametrize("name", ["", "h", "ä", "€", "😀", "\udcff", "x" * 70, "😀" * 5_000])
@pytest.mark.parametrize("value", [None, b"", b"v" * 64, b"v" * 9_000])
def test_the_bound_of_a_size_is_never_below_it(name: str, value: bytes | None) -> None:
    """Only what is above the bound is measured."""
    record = replace(SENT, value=value, headers=((name, value),) * 3)
    assert size_bound(record) >= wire_size(record)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"x" * 70_000,
        b"'" * 70_000,
        b'"' * 70_000,
        b"x" * 70_000 + b"'",
        b"'" + b"x" * 70_000 + b'"',
        b'"' * 65_536 + b"'" * 65_536,
        bytes(range(256)) * 1_000,
        bytes(range(256)).replace(b'"', b"") * 1_000,
        bytes(range(256)).replace(b"'", b"") * 1_000,
    ],
)
def test_a_fingerprint_is_that_of_the_whole_repr(value: bytes) -> None:
    """As it has been stored of records of any size, by every release so far."""
    sent = with_headers(("ce_id", b"it's"), ("content-type", None), ("Ce_é'", value), ("x", b"y"))
    for record in (replace(sent, value=value), replace(sent, key=value), replace(SENT, key=None)):
        headers = sorted((n, v or b"") for n, v in record.headers if n.lower()[:2] in {"ce", "co"})
        whole = repr((headers, record.key, record.value)).encode()
        assert bytes_fingerprint(record) == sha256(whole).hexdigest()


def test_a_fingerprint_copies_no_giant_value() -> None:
    giant = replace(SENT, value=bytes(40 << 20))
    tracemalloc.start()
    bytes_fingerprint(giant)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MIB


def test_a_record_weighs_what_its_value_does() -> None:
    assert (record_size(SENT), record_size(replace(SENT, value=None))) == (2, 0)


def test_a_position_keeps_its_id_over_releases() -> None:
    """Else a record that is read again after an upgrade would be another command."""
    assert position_id(replace(SENT, partition=3, offset=7), "topic-1") == POSITION_ID
