"""What the document of a dead letter says, and how its updates are made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from order_runtime.documents.dead_letters import LetterFacts, letter_document, order_id_of_key
from order_runtime.documents.document import Document
from order_runtime.documents.senders import UNKNOWN, Sender, sender, sender_by_headers
from order_runtime.kafka.dead_letters import dead_letter, replayed_chain
from order_runtime.kafka.records import Record
from order_runtime.mongo.dead_letter_writes import letter_writes
from support.builders.commands import AT, raw_record

SENT = raw_record(b'{"person": "kim@example.com"}', "o-1", partition=3, offset=42)


def document(record: Record, facts: LetterFacts | None = None) -> Document:
    facts = facts or LetterFacts("order-writer", "ValidationFailed", "o-1", "job-1")
    letter = dead_letter(record, service=facts.service, code=facts.code, reason="kim is wrong")
    assert letter is not None
    return letter_document(record, letter, facts, AT + timedelta(hours=1))


def test_a_document_says_where_why_and_whose_and_nothing_of_the_value_or_the_reason() -> None:
    facts = LetterFacts("order-writer", "TooLarge", "o-1", "job-1", Sender("/shop", "web"))
    assert document(SENT, facts) == {
        "_id": "orders.commands/3/42/1",
        "topic": "orders.commands",
        "partition": 3,
        "offset": 42,
        "attempt": 1,
        "chain": "orders.commands/3/42",
        "service": "order-writer",
        "code": "TooLarge",
        "orderId": "o-1",
        "jobId": "job-1",
        "source": "/shop",
        "client": "web",
        "at": AT,
        "state": "open",
        "expireAt": AT + timedelta(hours=1, days=14),
    }


def test_the_letter_of_a_replay_is_another_document_of_the_same_chain() -> None:
    """A batch that can't be read has the place of its first record."""
    headers = (*SENT.headers, ("orders-replay", b"job-1"), ("orders-attempt", b"2"))
    again = document(replace(SENT, offset=50, headers=headers))
    assert (again["_id"], again["chain"]) == ("orders.commands/3/50/3", "job-1")
    batch = replace(SENT, offset=49, first_offset=42, unreadable="why", key=None, value=None)
    assert document(batch)["_id"] == "orders.commands/3/42/1"
    assert "chain" not in document(batch)


def test_letters_are_written_before_those_that_they_repeat_are_moved() -> None:
    """In one ordered bulk write; what has no chain repeats nothing."""
    alone = {it: value for it, value in document(SENT).items() if it != "chain"}
    writes = letter_writes([document(SENT), alone])
    assert [type(it).__name__ for it in writes] == ["UpdateOne", "UpdateOne", "UpdateMany"]
    assert letter_writes([]) == []


@pytest.mark.parametrize(
    ("source", "told"), [("/shop", "/shop"), ("a shop", None), ("/é", None), ("", None)]
)
def test_a_sender_is_short_plain_text(source: str, told: str | None) -> None:
    assert sender(source) == Sender(told)
    assert sender_by_headers([("CE_Source", source.encode())]) == Sender(told)


def test_who_is_named_twice_is_not_known() -> None:
    both = [("ce_source", b"/shop"), ("ce_source", b"/other")]
    assert sender_by_headers(both) == sender_by_headers([]) == UNKNOWN


@pytest.mark.parametrize(
    ("key", "order_id"), [(b"o-1", "o-1"), (b"\xff", None), (b"", None), (b"k" * 256, None)]
)
def test_a_key_is_an_order_id_where_it_can_be_one(key: bytes, order_id: str | None) -> None:
    assert order_id_of_key(replace(SENT, key=key)) == order_id


def test_what_is_no_replay_repeats_nothing() -> None:
    assert replayed_chain(SENT) is None
    again = replace(SENT, headers=(("Orders-Replay", b"job-1"),))
    assert replayed_chain(again) == "job-1"
