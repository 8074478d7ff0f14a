"""What a write asks by its headers: each limit, and each field of what is returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256

import pytest

from gateway.domain.field_values import FieldValues
from gateway.domain.request_terms import RequestTerms, preferences, request_terms
from order_contracts.decoding import Invalid

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HEADERS = {
    "if-match": ' "tag" ',
    "idempotency-key": "key-1",
    "prefer": "wait=5",
    "traceparent": TRACE,
}


def hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def terms_of(
    headers: Mapping[str, str], client: str, *, preconditions: bool = True
) -> RequestTerms:
    lines = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return request_terms(FieldValues(lines), client, preconditions=preconditions)


def wait_of(prefer: str) -> int:
    return terms_of({"prefer": prefer}, "shop").wait


def messages(**headers: str) -> list[tuple[str, str, str]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with pytest.raises(Invalid) as refused:
        terms_of(named, "shop")
    return [(error.pointer, error.code, error.message) for error in refused.value.errors]


def test_all_headers_are_read() -> None:
    assert terms_of(HEADERS, "shop") == RequestTerms(
        if_match='"tag"',
        idempotency_key=hashed("shop/key-1"),
        wait=5,
        traceparent=TRACE,
        suppress_actions=False,
        client="shop",
    )


def test_without_headers_nothing_is_asked() -> None:
    nothing = RequestTerms(None, None, None, 0, traceparent=None, suppress_actions=False)
    assert terms_of({}, "shop") == RequestTerms(client="shop") == replace(nothing, client="shop")


def test_a_call_without_preconditions_ignores_if_match() -> None:
    terms = terms_of(HEADERS | {"if-match": "malformed"}, "shop", preconditions=False)
    assert terms.if_match is None
    assert terms.idempotency_key == hashed("shop/key-1")


@pytest.mark.parametrize("header", ["*", '"a"', 'W/"a"', '"a", "b"', '""'])
def test_if_match_is_kept_as_it_is_sent(header: str) -> None:
    assert terms_of({"if-match": header}, "shop").if_match == header


@pytest.mark.parametrize("header", ["", "tag", '"a', '"a" "b"', "**", '"é"'])
def test_if_match_that_is_no_entity_tag_is_refused(header: str) -> None:
    assert messages(if_match=header) == [
        ("", "Invalid", 'If-Match: Must be "<versionTag>" in quotes, or *')
    ]


@pytest.mark.parametrize("length", [1, 255])
def test_an_idempotency_key_has_from_1_to_255_characters(length: int) -> None:
    key = "k" * length
    assert terms_of({"idempotency-key": key}, "shop").idempotency_key == hashed(f"shop/{key}")


@pytest.mark.parametrize("length", [0, 256])
def test_an_idempotency_key_of_another_length_is_refused(length: int) -> None:
    assert messages(idempotency_key="k" * length) == [
        ("", "Invalid", "Idempotency-Key: Must have 1 to 255 characters")
    ]


def test_the_same_key_of_two_clients_is_two_keys() -> None:
    keys = {terms_of(HEADERS, client).idempotency_key for client in ("shop", "till")}
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=0", 0),
        ("wait=1", 1),
        ("wait=29", 29),
        ("wait=30", 30),
        ("wait=31", 30),
        ("wait=9999", 30),
        ('wait="7"', 7),
        ("wait = 7", 7),
        ("respond-async, wait=7", 7),
        ("respond-async;wait=7", 7),
        ("wait=7, respond-async", 7),
        ("Wait=7", 7),
        ("RESPOND-ASYNC, WAIT=7", 7),
        ("wait=7, wait=8", 7),
        ('note="x, wait=8", wait=7', 7),
    ],
)
def test_a_client_may_wait_for_at_most_30_seconds(header: str, seconds: int) -> None:
    assert wait_of(header) == seconds


@pytest.mark.parametrize(
    "header", ["", "wait", "wait=", "wait=x", "wait=-1", "await=5", "wait=5s", "wait=x, wait=5"]
)
def test_a_preference_that_is_not_understood_is_ignored(header: str) -> None:
    assert wait_of(header) == 0


@pytest.mark.parametrize("header", ["", "x", TRACE.upper(), f"{TRACE}-00", f"x{TRACE}", TRACE[:-1]])
def test_a_malformed_traceparent_is_ignored(header: str) -> None:
    assert terms_of({"traceparent": header}, "shop").traceparent is None


def test_a_row_of_a_bulk_has_a_key_of_its_own_and_neither_waits_nor_has_a_precondition() -> None:
    terms = RequestTerms(
        '"tag"',
        "hash",
        "former",
        wait=5,
        until_enriched=True,
        traceparent=TRACE,
        suppress_actions=True,
    )
    row = terms.of_row(7)
    assert row == RequestTerms(
        None, hashed("hash/7"), hashed("former/7"), traceparent=TRACE, suppress_actions=True
    )
    assert terms.of_row(8).idempotency_key != row.idempotency_key


def test_a_row_of_a_bulk_without_a_key_has_none() -> None:
    assert RequestTerms().of_row(0).idempotency_key is None


BLANKS = ["key-1 ", " key-1", "\tkey-1 \t "]


@pytest.mark.parametrize("sent", BLANKS)
def test_whitespace_at_the_ends_is_no_part_of_a_value(sent: str) -> None:
    """A proxy leaves it behind, or takes it away, between a request and its retry."""
    blanks = {name: f" {value} \t" for name, value in HEADERS.items()} | {"idempotency-key": sent}
    trimmed = terms_of(HEADERS, "shop")
    assert terms_of(blanks, "shop") == replace(trimmed, untrimmed_key=hashed(f"shop/{sent}"))
    assert trimmed.untrimmed_key is None


def test_a_key_with_whitespace_may_have_been_claimed_in_two_forms() -> None:
    """The one of an older gateway comes first: under it, the very same header was accepted."""
    terms = terms_of({"idempotency-key": "key-1 "}, "shop")
    assert terms.keys == (hashed("shop/key-1 "), hashed("shop/key-1"))
    assert terms_of({"idempotency-key": "key-1"}, "shop").keys == (hashed("shop/key-1"),)
    assert terms_of({}, "shop").keys == ()


def test_a_key_that_is_only_whitespace_is_none() -> None:
    assert messages(idempotency_key=" \t") == messages(idempotency_key="")


def test_a_key_that_was_too_long_with_its_whitespace_was_never_claimed_so() -> None:
    key = "k" * 255
    assert terms_of({"idempotency-key": f"{key} "}, "shop") == terms_of(
        {"idempotency-key": key}, "shop"
    )


def test_preferences_may_come_on_several_lines() -> None:
    lines = [(b"Prefer", b"respond-async"), (b"Prefer", b""), (b"prefer", b"wait=7 ")]
    assert request_terms(FieldValues(lines), "shop").wait == 7


def test_preferences_are_read_by_name() -> None:
    header = 'Respond-Async, wait = 7; until=enriched, note="a, b=\\"c", wait=9, ='
    assert preferences(header) == {
        "respond-async": "",
        "wait": "7",
        "until": "enriched",
        "note": 'a, b=\\"c',
        "": "",
    }


def test_entity_tags_may_come_on_several_lines() -> None:
    lines = [(b"if-match", b'"a"'), (b"if-match", b'"b", "c"')]
    assert request_terms(FieldValues(lines), "shop").if_match == '"a", "b", "c"'


@pytest.mark.parametrize(
    ("header", "until"),
    [
        ("wait=5, until=enriched", True),
        ('WAIT=5; Until="enriched"', True),
        ("wait=5", False),
        ("wait=5, until=delivered", False),
        ("wait=5, until", False),
        ("wait=5, until=stored, until=enriched", False),
    ],
)
def test_whoever_waits_may_wait_for_the_enrichment(header: str, *, until: bool) -> None:
    terms = terms_of({"prefer": header}, "shop")
    assert (terms.wait, terms.until_enriched) == (5, until)
