"""What an erasure covers, and how a person's identifiers are looked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from bson import encode

from order_contracts.topics import TOPICS
from order_operations.privacy.contact_data import identifiers
from order_operations.privacy.erasure import ages_out
from order_operations.privacy.pii_scan import pattern
from order_runtime.documents.erasures import Erasure

AT = datetime(2025, 11, 28, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ERASED = Erasure(at=AT, seen=AT + MINUTE)


@pytest.mark.parametrize(
    ("registered", "accepted", "covered"),
    [
        (AT - MINUTE, AT - MINUTE, True),
        (AT, AT, True),
        (AT - MINUTE, AT + MINUTE, True),  # nobody knew yet that the contact was deleted
        (AT + MINUTE, AT + MINUTE, False),  # a new relation
        (AT - MINUTE, AT + 2 * MINUTE, False),
    ],
)
def test_an_erasure_covers_what_was_there_before(
    registered: datetime, accepted: datetime, *, covered: bool
) -> None:
    assert ERASED.covers(registered, accepted) is covered


@pytest.mark.parametrize(
    "document",
    [
        {"_id": "ann@x.se"},
        {"a": [{"b": "ANN@x.se"}]},
        {"body": '{"mail":"ann@x.se"}'},
        {"record": b'{"mail": "ann@x.se"}'},
        {"key": "Email:ann@x.se"},
        {"ann@x.se": 1},
        {"body": r'{"id": "a \"quoted\" name"}'},
        {"member": "42"},
    ],
)
def test_an_identifier_is_found_wherever_it_stands(document: dict[str, object]) -> None:
    assert pattern(["ann@x.se", 'a "quoted" name', "42"]).search(encode(document))


@pytest.mark.parametrize(
    "document", [{"a": "joann@x.se"}, {"a": "ann@x.search"}, {"a": "1425"}, {"a": 42}]
)
def test_a_longer_word_or_number_is_another(document: dict[str, object]) -> None:
    assert not pattern(["ann@x.se", "42"]).search(encode(document))


def test_nothing_is_found_of_nobody() -> None:
    assert not pattern([]).search(encode({"a": "b"}))


def test_a_contact_is_sought_by_its_keys_and_as_its_orders_spell_them() -> None:
    order = {"order": {"contact": {"matchKey": " 070-123 45 67 "}}}
    known = {"contact": {"keys": ["MobilePhone:+46701234567"]}, "orders": [order, {"_id": "o"}]}

    assert identifiers(known, "c-1") == {"c-1", "+46701234567", "070-123 45 67"}
    assert identifiers({"contact": None, "orders": []}, "c-1") == {"c-1"}


def test_every_topic_that_may_hold_somebody_says_until_when() -> None:
    told = ages_out(TOPICS, AT)

    assert told["orders.commands"] == "2025-12-12T10:00:00.000Z"
    assert told["orders.commands.dlq"] == "2025-12-19T10:00:00.000Z"
    assert "compacted" in told["reference.contacts"]
    assert not told.keys() & {"reference.stores", "reference.articles", "orders.deliveries"}
