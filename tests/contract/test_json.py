"""JSON is read exactly, and only where it means one thing."""

from __future__ import annotations

from decimal import Decimal

import pytest

from order_contracts.decoding import parse
from support.builders.validation import syntax_error

HUGE = b"9" * 5000


def test_a_fraction_is_read_as_it_is_written() -> None:
    """Through a float, 1.00000000000000001 would silently be 1."""
    assert parse(b"1.00000000000000001") == Decimal("1.00000000000000001")


@pytest.mark.parametrize(
    "raw",
    [b"", b" ", b"{", b"{}x", b"[1,]", b"{'a':1}", b"01", b"+1", b".5", b"1.", b"0x1", b"nul"],
)
def test_what_is_not_json_is_refused(raw: bytes) -> None:
    assert syntax_error(raw)


@pytest.mark.parametrize("raw", [b"NaN", b"Infinity", b"-Infinity", b'{"a":NaN}'])
def test_numbers_that_are_none_are_refused(raw: bytes) -> None:
    """Python's own reader takes them, and no other does."""
    assert syntax_error(raw)


@pytest.mark.parametrize("raw", [HUGE, b"-" + HUGE, b"1e99999999999999999999", b"1e-9" + HUGE])
def test_a_number_beyond_all_bounds_is_refused_with_a_sentence(raw: bytes) -> None:
    """Not with an error of the decimal library, which would be a 500."""
    sentence = syntax_error(raw)
    assert sentence is not None
    assert "rror" not in sentence


@pytest.mark.parametrize(
    "raw", [b'{"a":1,"a":1}', b'{"b":{"a":1,"\\u0061":2}}', b'[{"\\"":1,"\\u0022":2}]']
)
def test_a_repeated_key_is_refused_at_any_depth_and_in_any_spelling(raw: bytes) -> None:
    """Two readers could take two different values."""
    assert "repeats a key" in (syntax_error(raw) or "")


def test_the_repeated_key_is_not_told() -> None:
    """A key may be personal, and the sentence goes into jobs and dead letters."""
    assert "kim@example.com" not in (
        syntax_error(b'{"kim@example.com":1,"kim@example.com":2}') or ""
    )


@pytest.mark.parametrize(
    "raw", [b'"\\u0000"', b'{"a\\u0000":1}', b'["\x00"]', b'[{"a":["\\u0000"]}]']
)
def test_nul_is_refused(raw: bytes) -> None:
    """MongoDB can't hold it in a key, and C programs end at it."""
    assert syntax_error(raw)


def test_the_letters_of_an_escaped_nul_are_text() -> None:
    assert parse(b'"\\\\u0000"') == "\\u0000"


@pytest.mark.parametrize(
    "raw", [b'"\\ud800"', b'"\\udc00\\ud800"', b'"\xed\xa0\x80"', b'{"\\ud800":1}']
)
def test_a_lone_surrogate_is_refused(raw: bytes) -> None:
    """It can't be written as UTF-8 again."""
    assert syntax_error(raw)


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert parse(b'"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize("codec", ["utf-16", "utf-32", "utf-8-sig"])
def test_other_encodings_than_utf_8_are_refused(codec: str) -> None:
    assert syntax_error('{"a":"é"}'.encode(codec))


def test_latin_1_is_refused() -> None:
    assert syntax_error(b'"\xe9"')


def test_bottomless_nesting_is_refused() -> None:
    """A bounded depth, so that no body can exhaust the stack of whoever walks it."""
    assert parse(b"[" * 200 + b"]" * 200)
    assert syntax_error(b"[" * 202 + b"]" * 202)
    assert syntax_error(b'{"a":' * 100_000)
