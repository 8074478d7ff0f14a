"""Bodies of the builders are valid, new each time, and differ only in the given deviations."""

import json
from typing import Any

import pytest

from order_contracts.decoding import Invalid, parse, read
from order_contracts.order import Order
from order_contracts.reference import Article, Contact, Store
from support.builders.bodies import (
    ABSENT,
    article_body,
    contact_body,
    line,
    matching,
    order_body,
    store_body,
)


def wire(body: dict[str, Any]) -> Any:
    return parse(json.dumps(body).encode())


def test_every_body_is_valid() -> None:
    """
    Tests of refusals name their deviations.
    """
    assert read(Order, wire(order_body()), strict=True)
    assert read(Contact, wire(contact_body()), strict=True)
    assert read(Article, wire(article_body()), strict=True)
    assert read(Store, wire(store_body()), strict=True)


def test_no_two_orders_have_one_id() -> None:
    """
    Tests share a stack, and must not share its orders.
    """
    assert order_body()["orderId"] != order_body()["orderId"]


def test_a_deviation_replaces_a_field_or_leaves_it_out() -> None:
    """
    The rest of the order stays as it was.
    """
    body = order_body("o-1", currencyCode="SEK", status=ABSENT)

    with pytest.raises(Invalid) as refused:
        read(Order, wire(body), strict=True)

    assert ["/status"] == [error.pointer for error in refused.value.errors]
    assert ("o-1", "SEK") == (body["orderId"], body["currencyCode"])


def test_the_total_is_that_of_the_lines() -> None:
    """
    Else every order with lines of its own would be reported for its totals.
    """
    returned = line(type="Return", totalPrice=0.1)

    assert 0.2 == order_body(lines=[line(totalPrice=0.3), returned])["totalPrice"]


def test_an_order_can_belong_to_a_contact() -> None:
    """
    By whichever of its keys.
    """
    ann = contact_body("ann")

    assert {"matchKey": "ann@example.com", "matchKeyType": "Email"} == matching(ann, "Email")
