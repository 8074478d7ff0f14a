"""An order is kept exactly: through JSON, the model, MongoDB's BSON, and back."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from bson import decode, encode
from hypothesis import given

from order_contracts.decoding import UnreadableDocument, parse, read
from order_contracts.order import Order
from order_runtime.documents.orders import LiveOrder, Tombstone, order_document, order_of
from order_runtime.mongo.client import CODEC
from support.builders.bodies import Json, order_body
from support.builders.order_strategies import NOW, order_bodies

AT = datetime(2025, 11, 28, 10, 0, tzinfo=UTC)


def live(body: Json) -> LiveOrder:
    order = read(Order, parse(json.dumps(body).encode()), strict=True, now=NOW)
    return LiveOrder(
        order=order.model_copy(update={"order_action": None}),
        version=1,
        contact_version=1,
        contact_since=1,
        contact_since_at=AT,
        job_id="job",
        registered_by="job",
        registered_at=AT,
        updated_at=AT,
    )


def at_rest_and_back(state: LiveOrder | Tombstone) -> LiveOrder | Tombstone:
    return order_of(decode(encode(order_document("o-1", state), codec_options=CODEC), CODEC))


@given(order_bodies())
def test_any_valid_order_is_given_back_as_it_was_taken(body: Json) -> None:
    stored = live(body)
    back = at_rest_and_back(stored)
    assert isinstance(back, LiveOrder)
    assert (back, back.order.to_json()) == (stored, stored.order.to_json())


@given(order_bodies())
def test_whatever_the_gateway_accepts_the_writer_can_read(body: Json) -> None:
    """One accepted order that its own reader refuses would stop the order-writer for good."""
    accepted = read(Order, parse(json.dumps(body).encode()), strict=True, now=NOW)
    again = read(Order, parse(accepted.to_json()))
    assert (again, again.to_json()) == (accepted, accepted.to_json())


@given(order_bodies())
def test_the_view_as_json_is_that_of_the_model(body: Json) -> None:
    state = live(body)
    assert json.loads(state.view_json()) == json.loads(state.view().to_json())


@given(order_bodies())
def test_what_get_answers_may_be_put(body: Json) -> None:
    """Read-only fields are ignored, so nobody has to strip them."""
    answered = live(body).view("c-1")
    again = read(Order, parse(answered.to_json()), strict=True, now=NOW)
    assert again == live(body).order


@pytest.mark.parametrize("number", ["1e23", "1e300", "-9.5e-280", "100000000000000", "0.1"])
def test_a_free_number_is_kept_however_large(number: str) -> None:
    """1e23 was once written with 23 digits of a float, which its reader refused."""
    raw = json.dumps(order_body(extraData={"n": "?"})).replace('"?"', number).encode()
    order = read(Order, parse(raw), strict=True)
    assert order.extra_data == read(Order, parse(order.to_json())).extra_data


@pytest.mark.parametrize("key", ["$ref", "a.b", "", "$where", "_id", "ключ"])
def test_a_free_object_may_have_any_key(key: str) -> None:
    """MongoDB gives some of them a meaning; at rest a free object is text."""
    free = {key: {key: [None, True, 0.1]}}
    back = at_rest_and_back(live(order_body(extraData=free, fees={"items": [free]})))
    assert isinstance(back, LiveOrder)
    answered = json.loads(back.view().to_json())
    assert (answered["extraData"], answered["fees"]["items"]) == (free, [free])


def test_a_tombstone_is_given_back() -> None:
    assert at_rest_and_back(Tombstone(3, AT)) == Tombstone(3, AT)


def test_the_action_is_not_kept_with_the_order() -> None:
    """It is write-only: it belongs to the job that asked for it."""
    stored = live(order_body())
    asked = read(Order, parse(json.dumps(order_body(orderAction={"action": "Custom"})).encode()))
    state = LiveOrder(asked, 1, 1, 1, AT, "job", "job", AT, AT)
    assert "order_action" not in order_document("o-1", state)["order"]
    assert state.view().order_action is None
    assert stored.view().order_type == "Purchase"


def test_a_document_that_was_tampered_with_is_refused() -> None:
    document = order_document("o-1", live(order_body()))
    document["order"]["totalPrice"] = "much"
    with pytest.raises(UnreadableDocument, match="/totalPrice") as refused:
        order_of(document)
    assert "much" not in str(refused.value)
