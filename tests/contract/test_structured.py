"""CloudEvents in structured mode: which records are, and what they say."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import to_structured_event
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from order_contracts.cloudevents import BadHeaders
from order_contracts.decoding import Invalid
from order_contracts.structured import attributes, data_of, structured_event, told

TYPE = ("content-type", b"application/cloudevents+json")
EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "job-1",
    "source": "/outbox",
    "type": "DeleteOrder.v1",
    "data": {"orderId": "o-1"},
}


def value(**deviations: Any) -> bytes:
    return json.dumps(EVENT | deviations).encode()


def test_what_the_cloudevents_sdk_writes_is_read() -> None:
    event = CloudEvent(
        {"id": "job-1", "source": "/outbox", "type": "DeleteOrder.v1", "ifmatch": '"tag"'},
        {"orderId": "o-1"},
    )
    sent = to_structured_event(event, JSONFormat())
    headers = [
        (name, text if isinstance(text, bytes) else text.encode())
        for name, text in sent.headers.items()
    ]
    read = structured_event(headers, sent.value)
    assert read is not None
    names = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_ifmatch")
    assert [attributes(read)[name] for name in names] == [
        "1.0",
        "job-1",
        "/outbox",
        "DeleteOrder.v1",
        '"tag"',
    ]
    assert data_of(read) == {"orderId": "o-1"}


@pytest.mark.parametrize(
    "headers",
    [
        [TYPE],
        [("Content-Type", b"Application/CloudEvents+JSON; charset=UTF-8")],
        [TYPE, ("ce_id", b"\xff"), ("ce_id", b"b")],
        [],
        [("content-type", None)],
    ],
)
def test_the_content_type_decides_or_else_the_value(headers: list[tuple[str, bytes]]) -> None:
    assert structured_event(headers, value()) == EVENT


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ([("content-type", b"application/json")], value()),
        ([("content-type", b"application/cloudevents-batch+json")], b"[]"),
        ([TYPE, TYPE], value()),
        ([], b'{"orderId": "o-1"}'),
        ([], b'{"note": "\\"specversion\\""}'),
        ([], b'"specversion"'),
        ([], b'["specversion"'),
        ([], b""),
        ([], None),
    ],
)
def test_anything_else_is_in_binary_mode(
    headers: list[tuple[str, bytes]], content: bytes | None
) -> None:
    assert structured_event(headers, content) is None


@pytest.mark.parametrize("content", [b"", None, b"{", b"[]", b"1", b'{"id": 1, "id": 2}'])
def test_an_event_that_is_no_object_is_refused(content: bytes | None) -> None:
    with pytest.raises(Invalid):
        structured_event([TYPE], content)


def test_attributes_of_other_types_are_told_as_text() -> None:
    found = attributes(EVENT | {"sequence": 7, "replayed": True, "shard": None, "trace": [1]})
    assert (found["ce_sequence"], found["ce_replayed"]) == ("7", "true")
    assert not {"ce_shard", "ce_trace", "ce_data"} & found.keys()


def test_an_attribute_that_counts_must_be_text() -> None:
    with pytest.raises(BadHeaders) as refused:
        attributes(EVENT | {"type": ["DeleteOrder.v1"]})
    assert told(str(refused.value)) == "The attribute type must be text"


def test_data_may_be_base64() -> None:
    encoded = b64encode(b'{"orderId": "o-1", "totalPrice": 1.10}').decode()
    event = {name: it for name, it in EVENT.items() if name != "data"}
    assert str(data_of(event | {"data_base64": encoded})["totalPrice"]) == "1.10"
    for broken in ("{}", "ä", 5, ["e30="], b64encode(b"{").decode()):
        with pytest.raises(Invalid):
            data_of(event | {"data_base64": broken})


def test_an_event_may_have_no_data() -> None:
    assert data_of({"specversion": "1.0"}) is None
