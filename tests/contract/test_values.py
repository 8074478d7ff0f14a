"""Amounts, times, choices and free objects: what each may be, at its edges."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from order_contracts.currencies import CURRENCIES
from order_contracts.decoding import parse, read
from order_contracts.order import Order
from order_contracts.rounding import NONE_ROUNDED, RoundedNumbers, Roundings, roundings_in
from order_contracts.times import is_before
from support.builders.bodies import line, order_body
from support.builders.order_strategies import seconds_after_now
from support.builders.validation import (
    order_errors,
    order_with_literal,
    parsed,
    valid_order,
    validation_errors,
)


def wire_of(message: Order) -> Any:
    return parse(message.to_json())


def nested(levels: int) -> dict[str, Any]:
    return {"a": nested(levels - 1)} if levels > 1 else {}


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2.50", "2.5"),
        ('"2.50"', "2.5"),
        ("1e3", "1000"),
        ('"1E+3"', "1000"),
        ("1e14", "100000000000000"),
        ("-0", "0"),
        ("-0.0", "0"),
        ('"-0"', "0"),
        ("0.00000001", "0.00000001"),
        ("1e-8", "0.00000001"),
        ("1.000000000000000000", "1"),
        ("123456789012345", "123456789012345"),
        ("-9999999.12345678", "-9999999.12345678"),
    ],
)
def test_an_amount_is_exact(text: str, amount: str) -> None:
    read_back = read(Order, order_with_literal("totalPrice", text), strict=True)
    assert read_back.total_price == Decimal(amount)
    assert not str(read_back.total_price).startswith("-0")
    assert read(Order, wire_of(read_back)).total_price == Decimal(amount)


@pytest.mark.parametrize(
    "text",
    [
        "1234567890123456",
        "1234567890123456.5",
        "999999999999999.9",
        "1e15",
        '"1e999"',
        "1e999999",
    ],
)
def test_an_amount_that_a_json_number_cannot_carry_is_out_of_range(text: str) -> None:
    """It would come back as another amount."""
    assert validation_errors(order_with_literal("totalPrice", text)) == [
        ("/totalPrice", "OutOfRange")
    ]


@pytest.mark.parametrize(
    "text",
    [
        '"NaN"',
        '"Infinity"',
        '"1_0"',
        '" 1"',
        '"1 "',
        '"+1"',
        '"1,5"',
        '".5"',
        '"1."',
        '"0x1"',
        '"١"',
        '""',
        "true",
        "false",
        "[]",
        "{}",
        '"1e1000"',
    ],
)
def test_what_only_looks_like_an_amount_is_refused(text: str) -> None:
    """Python's Decimal takes most of these."""
    assert validation_errors(order_with_literal("totalPrice", text)) == [("/totalPrice", "Invalid")]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("49.989999999999995", "49.99"),
        ("8.331666666666667", "8.33166667"),
        ("300000000.29999995", "300000000.3"),
        ('"49.989999999999995"', "49.99"),
        ("-49.989999999999995", "-49.99"),
        ("1.00000000000000001", "1"),
        ("0.000000005", "0"),
        ("0.000000015", "0.00000002"),
        ("0.000000025", "0.00000002"),
        ("12345678.1234567850000000001", "12345678.1234568"),
        ("99999999999999.95", "100000000000000"),
        # Rounded to 8 decimals first, and then to 15 digits, it would be 12345678.1234568.
        ("12345678.123456749", "12345678.1234567"),
        ("5.551115123125783e-17", "0"),
        ('"0.' + "3" * 300 + '"', "0.33333333"),
    ],
)
def test_a_float_residue_is_rounded_half_even_and_once(text: str, amount: str) -> None:
    """To 8 decimals and 15 digits; every client that counts in floats sends such numbers."""
    told = RoundedNumbers()
    read_back = read(Order, order_with_literal("totalPrice", text), strict=True, rounded=told)
    assert read_back.total_price == Decimal(amount)
    assert told.found == Roundings(1, ("/totalPrice",))
    assert read(Order, wire_of(read_back)).total_price == Decimal(amount)


def test_what_is_exact_is_not_told_as_rounded() -> None:
    told = RoundedNumbers()
    body = order_body(
        totalPrice="1.0000000000000000",
        lineItems={"items": [line(type="Return", quantity=-2)]},
        extraData={"n": 1e23, "m": 1.5e-12, "text": "49.989999999999995"},
    )
    read(Order, parsed(body), strict=True, rounded=told)
    assert told.found.count == 0


def test_every_rounded_number_is_told_where_it_is() -> None:
    """Also behind nulls, which are no items; and in free objects, which keep theirs."""
    residue = 49.989999999999995
    lines = [None, line(unitPrice=residue, discounts=[None, {"a": [None, {"b/c": residue}]}])]
    told = RoundedNumbers()
    body = order_body(lineItems={"items": lines, "subTotal": residue}, fees={"total": str(residue)})
    read(Order, parsed(body), strict=True, rounded=told)
    assert sorted(told.found.pointers) == [
        "/fees/total",
        "/lineItems/items/1/discounts/1/a/1/b~1c",
        "/lineItems/items/1/unitPrice",
        "/lineItems/subTotal",
    ]


def test_of_many_rounded_numbers_a_hundred_are_listed_and_all_counted() -> None:
    told = RoundedNumbers()
    lines = [line(unitPrice=0.1 + 0.2, totalPrice=0.1 + 0.2)] * 200
    read(Order, parsed(order_body(lineItems={"items": lines})), strict=True, rounded=told)
    assert (told.found.count, len(told.found.pointers)) == (400, 100)
    warnings = told.found.warnings()
    assert [it.code for it in warnings] == ["Rounded"] * 101
    assert warnings[0].reference == "/lineItems/items/0/totalPrice"
    assert (warnings[-1].reference, warnings[-1].message[:3]) == (None, "400")


@pytest.mark.parametrize(
    "text", ["", "[", "[]", "{}", '["a"]', "[1, 2]", '[1, "/a", "/b"]', "[" * 100_000]
)
def test_a_header_of_roundings_that_we_did_not_write_tells_nothing(text: str) -> None:
    assert roundings_in(text) == NONE_ROUNDED


def test_a_header_of_roundings_is_read_back() -> None:
    told = Roundings(7, ("/totalPrice", "/extraData/ö"))
    assert roundings_in(told.to_text()) == told
    assert roundings_in(Roundings(101, ("/a",) * 100).to_text()).count == 101
    assert roundings_in(Roundings(101, ("/a",) * 101).to_text()) == NONE_ROUNDED


@pytest.mark.parametrize(
    ("kind", "quantity", "kept"),
    [("Return", -2, "2"), ("return", "-0.5", "0.5"), ("Return", 2, "2"), ("Purchase", 2, "2")],
)
def test_a_return_may_count_its_quantity_backwards(kind: str, quantity: Any, kept: str) -> None:
    items = [line(type=kind, quantity=quantity)]
    (taken,) = valid_order(lineItems={"items": items}).line_items.items
    assert taken.quantity == Decimal(kept)


@pytest.mark.parametrize(
    ("kind", "quantity"), [("Return", 0), ("Return", "-0.000000004"), ("Purchase", "0.000000005")]
)
def test_a_quantity_is_more_than_nothing_once_it_is_rounded(kind: str, quantity: Any) -> None:
    assert order_errors(lineItems={"items": [line(type=kind, quantity=quantity)]}) == [
        ("/lineItems/items/0/quantity", "OutOfRange")
    ]


@pytest.mark.parametrize("quantity", [0, -1, "0", "-0.1"])
def test_a_quantity_is_more_than_nothing(quantity: Any) -> None:
    assert order_errors(lineItems={"items": [line(quantity=quantity)]}) == [
        ("/lineItems/items/0/quantity", "OutOfRange")
    ]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2025-11-28T10:00:00Z", "2025-11-28T10:00:00+00:00"),
        ("2025-11-28t10:00:00z", "2025-11-28T10:00:00+00:00"),
        ("2025-11-28 10:00:00.1239999+01:30", "2025-11-28T08:30:00.123+00:00"),
        ("2025-11-28T10:00:00-00:00", "2025-11-28T10:00:00+00:00"),
        ("2024-02-29T23:59:59.999999999Z", "2024-02-29T23:59:59.999+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ("2025-10-26T02:30:00.1234567890Z", "2025-10-26T02:30:00.123+00:00"),
        ("2025-10-26T02:30:00.1" + "9" * 500 + "Z", "2025-10-26T02:30:00.199+00:00"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999+00:00"),
        ("2017-01-01T01:59:60.5+02:00", "2016-12-31T23:59:59.999+00:00"),
    ],
)
def test_a_time_is_read_to_the_millisecond_and_answered_in_utc(text: str, at: str) -> None:
    taken = valid_order(createdAt=text)
    assert taken.created_at == datetime.fromisoformat(at)
    written = wire_of(taken)["createdAt"]
    assert written.endswith("Z")
    assert len(written) == len("2025-11-28T10:00:00.000Z")


@pytest.mark.parametrize(
    "text",
    [
        "2025-11-28T10:00:00",  # no offset
        "2025-11-28",
        "2025-11-28T10:00Z",
        "2025-11-28T10:00:00+0100",
        "2025-11-28T10:00:00+24:00",
        "2025-11-28T10:00:00+01:60",
        "2025-11-28T10:00:00.Z",
        "2025-11-28T10:00:00,5Z",
        "2025-11-28T24:00:00Z",
        "2016-12-31T23:59:61Z",
        "2016-12-31T23:60:60Z",
        "2023-02-29T00:00:00Z",
        "2025-13-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",  # before all years, in UTC
        "9999-12-31T23:59:59-01:00",  # after them
        "2025-11-28T10:00:00Z\n",
        "٢٠٢٥-11-28T10:00:00Z",
        1764324000,
        True,
        [],
    ],
)
def test_what_is_no_time_with_an_offset_is_refused(text: Any) -> None:
    assert order_errors(createdAt=text) == [("/createdAt", "Invalid")]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("2025-11-28T10:00:00.123900Z", "2025-11-28T10:00:00.123900Z"),
        ("2025-11-28t12:00:00.1234567890123+02:00", "2025-11-28T10:00:00.1234567890123Z"),
        ("2025-11-28 10:00:00z", "2025-11-28T10:00:00Z"),
        ("0001-01-01T00:00:00.10Z", "0001-01-01T00:00:00.10Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999999Z"),
        ("2025-11-28T10:00:00." + "1" * 200 + "Z", "2025-11-28T10:00:00." + "1" * 100 + "Z"),
    ],
)
def test_the_time_of_a_change_keeps_the_digits_that_were_sent(text: str, kept: str) -> None:
    """A PUT of what GET gave would be stale otherwise."""
    taken = valid_order(lastChangedAt=text)
    assert wire_of(taken)["lastChangedAt"] == kept
    assert wire_of(valid_order(lastChangedAt=kept))["lastChangedAt"] == kept


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("2025-11-28T10:00:00.123100Z", "2025-11-28T10:00:00.123900Z"),
        ("2025-11-28T10:00:00Z", "2025-11-28T10:00:00.0000000001Z"),
        ("2025-11-28T10:00:00.9Z", "2025-11-28T10:00:01Z"),
        ("2025-11-28T10:00:00.12Z", "2025-11-28T10:00:00.123Z"),
        ("2016-12-31T23:59:59.9999Z", "2016-12-31T23:59:59.999999999Z"),
        (datetime(2025, 11, 28, 10, tzinfo=UTC), "2025-11-28T10:00:00.0001Z"),
    ],
)
def test_times_are_compared_with_every_digit(earlier: Any, later: Any) -> None:
    assert is_before(earlier, later)
    assert not is_before(later, earlier)


@pytest.mark.parametrize(
    "same", ["2025-11-28T10:00:00Z", "2025-11-28T10:00:00.000Z", "2025-11-28T10:00:00.0Z"]
)
def test_zeros_behind_a_time_make_it_no_later(same: str) -> None:
    at = datetime(2025, 11, 28, 10, tzinfo=UTC)
    assert not is_before(same, at)
    assert not is_before(at, same)


@pytest.mark.parametrize("field", ["createdAt", "lastChangedAt"])
def test_a_clock_may_be_five_minutes_fast(field: str) -> None:
    assert order_errors(**{field: seconds_after_now(300)}) == []
    assert order_errors(**{field: seconds_after_now(300.001)}) == [(f"/{field}", "OutOfRange")]


def test_a_reader_without_a_clock_takes_any_time() -> None:
    """Who reads what was accepted judges no time again."""
    assert read(Order, parsed(order_body(createdAt=seconds_after_now(10**6))))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-02-28", "2026-02-28"),
        ("2026-02-28T10:00:00+01:00", "2026-02-28T09:00:00.000Z"),
        ("2999-01-01", "2999-01-01"),
    ],
)
def test_a_delivery_date_is_a_day_or_a_time(given: str, kept: str) -> None:
    """It lies ahead more often than not."""
    delivery = valid_order(delivery={"deliveryDate": given}).delivery
    assert delivery is not None
    assert delivery.delivery_date == kept


@pytest.mark.parametrize("given", ["2026-02-30", "20260228", "2026-W09-1", "28.2.2026", "", 5])
def test_what_is_no_day_is_refused(given: Any) -> None:
    assert order_errors(delivery={"deliveryDate": given}) == [("/delivery/deliveryDate", "Invalid")]


@pytest.mark.parametrize("code", ["EUR", "eur", "Eur", "XAU", "HRK"])
def test_a_currency_is_taken_in_any_case(code: str) -> None:
    """Withdrawn ones too: history is imported."""
    assert valid_order(currencyCode=code).currency_code == code.upper()


@pytest.mark.parametrize("code", ["EURO", "XYZ", "", " EUR", 978, [], {}, True])
def test_what_is_no_currency_is_refused(code: Any) -> None:
    """A list among them: asking whether it is in a set of codes was once a crash."""
    assert order_errors(currencyCode=code) == [("/currencyCode", "Invalid")]


def test_every_currency_has_three_letters() -> None:
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in CURRENCIES)


@pytest.mark.parametrize("status", ["InProgress", "inprogress", "INPROGRESS"])
def test_a_choice_is_taken_in_any_case_and_answered_in_one(status: str) -> None:
    assert wire_of(valid_order(status=status))["status"] == "InProgress"


@pytest.mark.parametrize("status", ["In Progress", "", 0, None, [], {}])
def test_what_is_no_choice_is_refused(status: Any) -> None:
    assert [pointer for pointer, _ in order_errors(status=status)] == ["/status"]


@pytest.mark.parametrize(
    "tag", ["en", "sv-SE", "zh-Hant-TW", "de-1996", "es-419", "en-x-twain", "sl-rozaj", "EN-us"]
)
def test_a_language_is_a_tag(tag: str) -> None:
    assert valid_order(language=tag).language == tag


@pytest.mark.parametrize(("tag", "kept"), [("en_GB", "en-GB"), ("zh_Hant_TW", "zh-Hant-TW")])
def test_an_underscore_in_a_language_tag_is_a_hyphen(tag: str, kept: str) -> None:
    """Java and PHP write them so."""
    assert valid_order(language=tag).language == kept


@pytest.mark.parametrize("tag", ["", "e", "en_", "english language", "en-", "-en", "en--GB", "ğ"])
def test_what_is_no_language_tag_is_refused(tag: str) -> None:
    assert order_errors(language=tag) == [("/language", "Invalid")]


@pytest.mark.parametrize("given", [[], "{}", 1, True])
def test_a_free_object_is_an_object(given: Any) -> None:
    """Text too is refused: only at rest it is one."""
    assert order_errors(extraData=given) == [("/extraData", "Invalid")]


def test_a_free_object_is_five_levels_deep_at_most() -> None:
    assert order_errors(extraData=nested(5)) == []
    assert order_errors(extraData=nested(6)) == [("/extraData", "Invalid")]
    assert order_errors(extraData={"a": [[[[]]]]}) == []
    assert order_errors(extraData={"a": [[[[[]]]]]}) == [("/extraData", "Invalid")]


def test_a_free_object_holds_16_kilobytes_at_most() -> None:
    """Of UTF-8, not of characters."""
    room = 16 * 1024 - len('{"a":""}')
    assert order_errors(extraData={"a": "x" * room}) == []
    assert order_errors(extraData={"a": "x" * (room + 1)}) == [("/extraData", "TooLong")]
    assert order_errors(extraData={"a": "é" * (room // 2 + 1)}) == [("/extraData", "TooLong")]


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        ("49.989999999999995", 49.99),
        ("0.1234567890123456", 0.12345679),
        ("300000000.29999995", 300000000.3),
        ("5.551115123125783e-17", 0),
        ("1e-301", 0),
        ("1.5e-12", 1.5e-12),
        ("1e23", 1e23),
    ],
)
def test_a_free_number_of_over_15_digits_is_rounded_and_others_are_kept(
    number: str, kept: float
) -> None:
    body = order_with_literal("extraData", '{"a":[' + number + ",true]}")
    taken = wire_of(read(Order, body, strict=True))
    assert float(taken["extraData"]["a"][0]) == kept
    assert taken["extraData"]["a"][1] is True


@pytest.mark.parametrize("number", ["1234567890123456", "12345678901234567890.5", "1e301"])
def test_a_free_number_that_is_too_large_to_be_exact_is_refused(number: str) -> None:
    body = order_with_literal("extraData", '{"a":[' + number + "]}")
    assert validation_errors(body) == [("/extraData", "OutOfRange")]


def test_a_free_object_keeps_its_nulls() -> None:
    """Kept as it came; `null` is absent only among our own fields."""
    assert wire_of(valid_order(extraData={"a": None, "b": [None]}))["extraData"] == {
        "a": None,
        "b": [None],
    }
