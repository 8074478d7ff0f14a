"""The fields of an order: their limits, what is ignored, and all errors at once."""

from __future__ import annotations

from typing import Any

import pytest

from order_contracts.commands import ChangeOrderDelivery, ChangeOrderStatus, RegisterOrder
from order_contracts.decoding import parse, read
from order_contracts.order import READ_ONLY, Order, order_type
from support.builders.bodies import ABSENT, Json, line, order_body
from support.builders.validation import order_errors, parsed, valid_order, validation_errors

CONTACT = {"matchKey": "kim", "matchKeyType": "ExternalId"}
AT = "2025-11-28T10:00:00Z"


def lines(count: int) -> Json:
    return {"items": [line()] * count}


def of_line(**fields: Any) -> Json:
    return {"lineItems": {"items": [line(**fields)]}}


def uri(length: int) -> str:
    return "https://example.com/".ljust(length, "i")


@pytest.mark.parametrize(
    ("pointer", "largest", "larger"),
    [
        ("/orderId", {"orderId": "o" * 255}, {"orderId": "o" * 256}),
        ("/orderId", {"orderId": "é" * 255}, {"orderId": "é" * 256}),
        (
            "/contact/matchKey",
            {"contact": CONTACT | {"matchKey": "k" * 255}},
            {"contact": CONTACT | {"matchKey": "k" * 256}},
        ),
        ("/externalStoreId", {"externalStoreId": "s" * 255}, {"externalStoreId": "s" * 256}),
        ("/externalStatus", {"externalStatus": "s" * 255}, {"externalStatus": "s" * 256}),
        ("/references", {"references": ["r"] * 50}, {"references": ["r"] * 51}),
        ("/references/0", {"references": ["r" * 255]}, {"references": ["r" * 256]}),
        ("/channel", {"channel": "c" * 100}, {"channel": "c" * 101}),
        ("/lineItems/items", {"lineItems": lines(1000)}, {"lineItems": lines(1001)}),
        ("/lineItems/items/0/sku", of_line(sku="s" * 255), of_line(sku="s" * 256)),
        (
            "/lineItems/items/0/description",
            of_line(description="d" * 1000),
            of_line(description="d" * 1001),
        ),
        ("/lineItems/items/0/imageUrl", of_line(imageUrl=uri(2048)), of_line(imageUrl=uri(2049))),
        (
            "/lineItems/items/0/targetUrl",
            of_line(targetUrl=uri(2048)),
            of_line(targetUrl=uri(2049)),
        ),
        (
            "/lineItems/items/0/discounts",
            of_line(discounts=[{}] * 50),
            of_line(discounts=[{}] * 51),
        ),
        ("/payments/items", {"payments": {"items": [{}] * 50}}, {"payments": {"items": [{}] * 51}}),
        ("/fees/items", {"fees": {"items": [{}] * 50}}, {"fees": {"items": [{}] * 51}}),
        (
            "/discounts/items",
            {"discounts": {"items": [{}] * 50}},
            {"discounts": {"items": [{}] * 51}},
        ),
        (
            "/delivery/method",
            {"delivery": {"method": "m" * 100}},
            {"delivery": {"method": "m" * 101}},
        ),
        (
            "/delivery/trackingNumber",
            {"delivery": {"trackingNumber": "1" * 255}},
            {"delivery": {"trackingNumber": "1" * 256}},
        ),
        (
            "/delivery/trackingUri",
            {"delivery": {"trackingUri": uri(2048)}},
            {"delivery": {"trackingUri": uri(2049)}},
        ),
        (
            "/billingAddress/street",
            {"billingAddress": {"street": "s" * 255}},
            {"billingAddress": {"street": "s" * 256}},
        ),
    ],
)
def test_a_limit_is_reached_and_not_passed(pointer: str, largest: Json, larger: Json) -> None:
    assert (order_errors(**largest), order_errors(**larger)) == ([], [(pointer, "TooLong")])


@pytest.mark.parametrize(
    "order_id", ["jobs", "bulk", "check", ".", "..", "a/b", "a\n", "\x7f", "\x85"]
)
def test_an_order_id_that_a_path_cannot_hold_is_refused(order_id: str) -> None:
    """Reserved ones are paths of the API; dots are removed by every client of HTTP."""
    assert order_errors(orderId=order_id) == [("/orderId", "Invalid")]


def test_an_order_id_is_not_empty() -> None:
    assert order_errors(orderId="") == [("/orderId", "TooShort")]


@pytest.mark.parametrize("order_id", ["JOBS", "...", "a b", "a?b#c%2F", "é", "订单", " "])
def test_any_other_order_id_is_taken_as_it_is(order_id: str) -> None:
    assert valid_order(orderId=order_id).order_id == order_id


@pytest.mark.parametrize(
    "field",
    ["orderId", "contact", "status", "currencyCode", "totalPrice", "createdAt", "lineItems"],
)
def test_a_required_field_that_is_null_is_absent(field: str) -> None:
    required = [(f"/{field}", "Required")]
    assert (order_errors(**{field: None}), order_errors(**{field: ABSENT})) == (required, required)


def test_any_other_field_that_is_null_is_absent() -> None:
    """Also those that have a default."""
    optional = {
        "externalStoreId": None,
        "references": None,
        "lastChangedAt": None,
        "extraData": None,
        "orderAction": None,
        "delivery": {"method": None, "deliveryDate": None},
        "contact": CONTACT | {"contactType": None},
        "fees": {"items": None, "total": None},
    }
    taken = valid_order(**optional)
    assert taken.contact.contact_type == "Member"
    assert taken.fees is not None
    assert taken.fees.items == ()


def test_null_is_absent_wherever_it_stands() -> None:
    """In addresses, in lists, and where there is no such field; free objects keep theirs."""
    taken = valid_order(
        billingAddress={"street": "1 High St", "company": None},
        shippingAddress={"company": None},
        references=["r-1", None, "r-2"],
        fees={"items": [None, {"a": None}], "total": None, "vat": None},
        contact=CONTACT | {"name": None},
        lineItems={"items": [None, line(colour=None, discounts=[None])], "count": None},
        colour=None,
    )
    assert (taken.billing_address, taken.shipping_address) == ({"street": "1 High St"}, {})
    assert taken.references == ("r-1", "r-2")
    assert taken.fees is not None
    assert taken.fees.items == ({"a": None},)
    assert [each.discounts for each in taken.line_items.items] == [()]


def test_an_error_behind_a_null_is_told_where_it_is() -> None:
    items = [None, line(), None, line(sku="", totalPrice="x")]
    assert order_errors(references=[None, "r" * 256], lineItems={"items": items}) == [
        ("/references/1", "TooLong"),
        ("/lineItems/items/3/sku", "TooShort"),
        ("/lineItems/items/3/totalPrice", "Invalid"),
    ]


def test_a_list_of_nothing_but_nulls_is_empty() -> None:
    assert order_errors(lineItems={"items": [None]}) == [("/lineItems/items", "TooShort")]


def test_null_clears_only_what_a_delivery_has() -> None:
    """A misspelt name would clear nothing, in silence."""
    body = {"orderId": "o-1", "delivery": {"methd": None}, "lastChangedAt": AT, "orderAction": None}
    assert validation_errors(parsed(body), ChangeOrderDelivery) == [("/delivery/methd", "Unknown")]


@pytest.mark.parametrize(
    "key", [" ", "\t\n", "\u00a0", "\u200b", "\ufeff\u00ad", "\u2066 \u2069", "\u3000"]
)
def test_a_key_of_nothing_to_see_is_nobodys(key: str) -> None:
    contact: Json = {"contact": CONTACT | {"matchKey": key}}
    assert order_errors(**contact) == [("/contact/matchKey", "Invalid")]
    assert validation_errors(parsed(order_body(**contact)), RegisterOrder) != []
    # What a gateway of a former release accepted is still read: refusing it would stop the writer.
    assert read(RegisterOrder, parsed(order_body(**contact))).contact.match_key == key


@pytest.mark.parametrize("key", ["a", " a ", "\u200ba", "\U0001f600", "\u0301"])
def test_a_key_with_anything_to_see_is_kept_as_it_came(key: str) -> None:
    assert valid_order(contact=CONTACT | {"matchKey": key}).contact.match_key == key


def test_read_only_fields_are_ignored_whatever_they_hold() -> None:
    """What GET gave may be edited and sent back; even a wrong one can't be believed."""
    body = order_body() | {name: ["nonsense"] for name in READ_ONLY}
    taken = read(Order, parsed(body), strict=True)
    assert not taken.model_fields_set & {"order_type", "version_tag", "contact_id"}
    assert taken.version_tag is None


def test_all_errors_are_told_at_once_each_where_it_is() -> None:
    """Nobody mends a body of a thousand lines one error at a time."""
    items = [line(quantity=0), line(), line(sku="", totalPrice="x"), {"type": "Gift"}]
    told = order_errors(orderId="a/b", status=ABSENT, colour="red", lineItems={"items": items})
    assert told == [
        ("/orderId", "Invalid"),
        ("/status", "Required"),
        ("/lineItems/items/0/quantity", "OutOfRange"),
        ("/lineItems/items/2/sku", "TooShort"),
        ("/lineItems/items/2/totalPrice", "Invalid"),
        ("/lineItems/items/3/type", "Invalid"),
        ("/lineItems/items/3/sku", "Required"),
        ("/lineItems/items/3/quantity", "Required"),
        ("/lineItems/items/3/totalPrice", "Required"),
        ("/colour", "Unknown"),
    ]


def test_a_thousand_wrong_lines_are_a_thousand_errors() -> None:
    assert len(order_errors(lineItems={"items": [line(quantity=0)] * 1000})) == 1000


def test_of_more_errors_the_first_are_told_and_how_many_there_are() -> None:
    told = order_errors(**{f"a{number}": 1 for number in range(1_500)})
    assert len(told) == 1_001
    assert told[-1] == ("", "TooMany")


def test_what_is_wrong_in_too_many_places_is_only_counted() -> None:
    """To list them would take seconds, in which nobody else is answered."""
    assert order_errors(**{f"a{number}": 1 for number in range(10_001)}) == [("", "TooMany")]


@pytest.mark.parametrize(
    ("deviation", "pointer"),
    [
        ({"lineItems": {"items": [{}] * 100_000}}, "/lineItems/items"),
        ({"references": [1] * 100_000}, "/references"),
        ({"payments": {"items": [1] * 100_000}}, "/payments/items"),
        ({"shippingAddress": {f"a{it}": 1 for it in range(20_000)}}, "/shippingAddress"),
        (of_line(discounts=[1] * 100_000), "/lineItems/items/0/discounts"),
    ],
)
def test_a_list_that_is_too_long_is_one_error_whatever_it_holds(
    deviation: Json, pointer: str
) -> None:
    assert order_errors(**deviation) == [(pointer, "TooLong")]


def test_a_pointer_escapes_what_it_points_to() -> None:
    assert order_errors(**{"a/b~c": 1}) == [("/a~1b~0c", "Unknown")]


def test_an_unknown_field_is_found_at_any_depth() -> None:
    told = order_errors(contact=CONTACT | {"name": 1}, **of_line(colour=1))
    assert told == [("/contact/name", "Unknown"), ("/lineItems/items/0/colour", "Unknown")]


def test_addresses_may_have_fields_of_their_own() -> None:
    assert order_errors(billingAddress={"careOf": "Kim", "floor": "3"}) == []
    assert order_errors(billingAddress={"care of": "Kim"}) == [
        ("/billingAddress/care of", "Invalid")
    ]
    assert order_errors(billingAddress={"floor": 3}) == [("/billingAddress/floor", "Invalid")]


def test_a_link_has_a_scheme() -> None:
    assert order_errors(delivery={"trackingUri": "www.example.com"}) == [
        ("/delivery/trackingUri", "Invalid")
    ]
    assert order_errors(delivery={"trackingUri": "https://a b"}) == [
        ("/delivery/trackingUri", "Invalid")
    ]


@pytest.mark.parametrize("body", [[], "order", 1, True])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    assert validation_errors(body) == [("", "Invalid")]


@pytest.mark.parametrize(
    ("types", "kind"),
    [
        (["Purchase"], "Purchase"),
        (["Return"], "Return"),
        (["Return", "Purchase", "Return"], "Purchase"),
        (["return", "RETURN"], "Return"),
    ],
)
def test_an_order_is_a_return_if_all_its_lines_are(types: list[str], kind: str) -> None:
    assert order_type(valid_order(lineItems={"items": [line(type=each) for each in types]})) == kind


def test_a_cleared_field_of_a_delivery_is_told_from_an_absent_one() -> None:
    """Also by the next reader: the gateway sends the command on, and null clears."""
    body = {"orderId": "o-1", "delivery": {"method": None}, "lastChangedAt": AT}
    command = read(ChangeOrderDelivery, parsed(body), strict=True)
    again = read(ChangeOrderDelivery, parse(command.to_json()))
    assert again.delivery.model_fields_set == {"method"}
    assert again.delivery.method is None


@pytest.mark.parametrize(
    "given", [{"status": "Completed"}, {"externalStatus": "packed"}, {"externalStatus": ""}]
)
def test_a_change_of_status_names_one_of_the_two(given: Json) -> None:
    body = {"orderId": "o-1", "lastChangedAt": AT}
    assert (
        validation_errors(parsed(body | given | {"status": given.get("status")}), ChangeOrderStatus)
        == []
    )
    assert validation_errors(parsed(body), ChangeOrderStatus) == [("/status", "Required")]


def test_a_change_of_status_lists_all_that_is_wrong() -> None:
    body = {"orderId": "o-1", "status": None, "externalStatus": None}
    assert validation_errors(parsed(body), ChangeOrderStatus) == [
        ("/status", "Required"),
        ("/lastChangedAt", "Required"),
    ]


def test_a_change_needs_the_time_it_was_made() -> None:
    body = {"orderId": "o-1", "status": "Completed"}
    assert validation_errors(parsed(body), ChangeOrderStatus) == [("/lastChangedAt", "Required")]
