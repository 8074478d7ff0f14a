"""The order within an event is passed on as it came, wherever it stands and whatever it holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from enricher.domain.action_ends import order_action
from enricher.domain.announced import AnnouncedEvent, announced_event, read_event
from enricher.domain.contact_matching import KnownContact
from order_contracts.decoding import Invalid, read_announced
from order_contracts.events import OrderAction, OrderEvent
from support.builders.bodies import Json, line, order_body
from support.builders.writer_fixtures import WriterFixture

CUT: Json = {"a": 1, "order": {"x": {}}, "action": {"b": '","order":{}'}, "order ": "}"}
"""What looks like the members by which an order is cut out of an event."""
CUSTOM: Json = {"action": "Custom", "language": "sv", "data": CUT}
BODY = order_body(
    "o-1",
    contact={"matchKey": 'a","order":{"b', "matchKeyType": "ExternalId", "contactType": "Visitor"},
    lines=[line(sku="mug", totalPrice=0.1), line(sku="tee", extraData=CUT), line(sku="mug")],
    externalStoreId="shop",
    language="en",
    extraData=CUT,
)


def event_of(body: Json = BODY, action: Json | None = None) -> bytes:
    value = WriterFixture("o-1").register(body, action).event.value
    assert value is not None
    return value


def rewritten(**members: Any) -> bytes:
    """Return the event with an action whose members come in another order, or have others."""
    whole = {**json.loads(event_of(action=CUSTOM)), **members}
    return json.dumps({name: whole[name] for name in sorted(whole)}, separators=(",", ":")).encode()


def whole(raw: bytes) -> AnnouncedEvent:
    """Return the event by its model, as whoever knows nothing of its text reads it."""
    return announced_event(read_announced(OrderEvent, raw))


@pytest.mark.parametrize(
    "raw",
    [
        event_of(),
        event_of(action=CUSTOM),
        event_of(action={"action": "ConfirmOrder"}),
        rewritten(),
        rewritten(aside={"x": 1, "order": {}}),
        json.dumps(json.loads(event_of(action=CUSTOM)), indent=1).encode(),
    ],
    ids=["plain", "custom", "action", "reordered", "aside", "indented"],
)
def test_an_event_is_read_as_by_its_model(raw: bytes) -> None:
    read, expected = read_event(raw), whole(raw)

    assert read == expected
    assert read.order is not None
    assert (read.order.skus, read.order.external_store_id) == (("mug", "tee"), "shop")
    assert (read.order.order_id, read.order.language) == ("o-1", "en")
    assert read.order.contact.match_key == 'a","order":{"b'


def test_an_order_is_passed_on_as_it_came_even_what_this_release_does_not_know() -> None:
    raw = event_of(order_body("o-1")).replace(b'"order":{', b'"order":{"new":1.50,')

    order = read_event(raw).order

    assert order is not None
    assert order.text.startswith(b'{"new":1.50,')
    assert raw.endswith(b'"order":%b}' % order.text)


def test_what_a_client_sends_with_an_action_is_never_taken_for_its_order() -> None:
    """The order was deleted: its event has none."""
    named = {"matchKey": "c-9", "matchKeyType": "ContactId"}
    forged = {"contact": named, "orderId": "o-1", "lineItems": {"items": [{"sku": "mug"}]}}
    data = {"a": 1, "order": forged, "action": {"action": "ConfirmOrder"}}
    event = {"jobId": "job-1", "orderId": "o-1", "registration": "job-0"}
    custom = {"action": "Custom", "data": data}

    raw = json.dumps({**event, "action": custom}, separators=(",", ":")).encode()

    assert b',"order":{' in raw
    assert b',"action":{' in raw.partition(b',"order":{')[2]
    assert read_event(raw) == whole(raw)
    assert read_event(raw).order is None


@pytest.mark.parametrize(
    "raw",
    [
        event_of()[:-1],
        event_of() + b"}",
        event_of(action=CUSTOM)[:-1] + b',"order":{}}',
        event_of().replace(b'"matchKeyType":"ExternalId"', b'"matchKeyType":"Shoe"'),
        event_of().replace(b'"sku":"mug"', b'"sku":1'),
        b'x,"order":{},"action":{}',
    ],
    ids=["cut off", "more", "repeated", "contact", "sku", "no JSON"],
)
def test_what_is_no_event_is_refused_as_by_its_model(raw: bytes) -> None:
    with pytest.raises(Invalid) as expected:
        whole(raw)
    with pytest.raises(Invalid, match=r"\w") as refused:
        read_event(raw)

    assert str(refused.value) == str(expected.value)


@pytest.mark.parametrize("action", [CUSTOM, {"action": "ConfirmOrder"}])
def test_the_message_of_an_action_has_the_order_with_its_contact(action: Json) -> None:
    raw = event_of(action=action)
    event, model = read_event(raw), read_announced(OrderEvent, raw)
    assert event.order is not None
    assert event.action is not None
    assert model.order is not None

    fired = order_action("job-1", event.action, event.order, KnownContact('c-"1"', language="de"))
    message = read_announced(OrderAction, fired.to_json())

    assert message.order == model.order.model_copy(update={"contact_id": 'c-"1"'})
    assert (message.contact_id, message.order_id, message.job_id) == ('c-"1"', "o-1", "job-1")
    assert message.language == action.get("language", "en")
    assert message.data == action.get("data")


def test_an_order_that_has_a_contact_already_gets_no_second_one() -> None:
    order = read_event(event_of()[:-2] + b',"contactId":"c-0"}}').order

    assert order is not None
    assert json.loads(order.text_with_contact("c-1"))["contactId"] == "c-1"
    assert order.text_with_contact("c-1").count(b"contactId") == 1
