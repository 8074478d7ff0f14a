"""Messages are CloudEvents in Kafka's binary mode: another implementation reads them the same."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

from order_contracts.cloudevents import BadHeaders, Envelope, command_type, read_headers

AT = datetime(2025, 11, 28, 10, 0, 0, 123_000, tzinfo=UTC)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PLAIN = Envelope(id="job-1", source="/gateway", type="RegisterOrder.v1", time=AT, subject="Ö 1")
FULL = replace(
    PLAIN, traceparent=TRACE, if_match='"tag=="', idempotency_key="k/1", suppress_actions=True
)


def told(envelope: Envelope, value: bytes = b"{}") -> KafkaMessage:
    headers = envelope.headers()
    assert len(dict(headers)) == len(headers), "none repeated"
    return KafkaMessage(headers=dict(headers), key=envelope.subject.encode(), value=value)


def refused(*headers: tuple[str, bytes | None]) -> str:
    with pytest.raises(BadHeaders) as error:
        command_type(read_headers(headers))
    return str(error.value)


def test_the_cloudevents_sdk_reads_what_we_write() -> None:
    event = from_kafka_event(told(PLAIN, '{"orderId":"Ö 1","n":1.5}'.encode()))
    assert (event.get_specversion(), event.get_id(), event.get_source()) == (
        "1.0",
        "job-1",
        "/gateway",
    )
    assert (event.get_type(), event.get_subject()) == ("RegisterOrder.v1", "Ö 1")
    assert (event.get_time(), event.get_datacontenttype()) == (AT, "application/json")
    assert event.get_data() == {"orderId": "Ö 1", "n": 1.5}


def test_the_sdk_reads_our_extensions() -> None:
    event = from_kafka_event(told(FULL))
    names = ("ifmatch", "idempotencykey", "actions")
    assert [event.get_extension(name) for name in names] == ['"tag=="', "k/1", "suppress"]


def test_the_sdk_reads_an_event_whose_order_is_not_known() -> None:
    """An unreadable record has none; a subject may be absent, but not empty."""
    assert from_kafka_event(told(replace(PLAIN, subject=""))).get_subject() is None


def test_headers_are_read_back_as_they_were_written() -> None:
    assert read_headers(FULL.headers()) == {
        "ce_specversion": "1.0",
        "ce_id": "job-1",
        "ce_source": "/gateway",
        "ce_type": "RegisterOrder.v1",
        "ce_time": "2025-11-28T10:00:00.123Z",
        "ce_subject": "Ö 1",
        "content-type": "application/json",
        "traceparent": TRACE,
        "ce_ifmatch": '"tag=="',
        "ce_idempotencykey": "k/1",
        "ce_actions": "suppress",
    }


def test_what_is_not_said_is_not_written() -> None:
    written = dict(PLAIN.headers())
    assert not {"traceparent", "ce_ifmatch", "ce_idempotencykey", "ce_actions"} & set(written)


def test_headers_are_read_in_any_case() -> None:
    """Kafka's clients keep the case that a publisher wrote."""
    assert read_headers([("CE_Id", b"a"), ("Content-Type", b"application/json")]) == {
        "ce_id": "a",
        "content-type": "application/json",
    }


@pytest.mark.parametrize("name", ["ce_id", "CE_ID", "ce_type", "content-type", "traceparent"])
def test_a_repeated_header_is_refused(name: str) -> None:
    """One reader would take the first, another the last."""
    sentence = refused(("ce_type", b"RegisterOrder.v1"), (name.lower(), b"a"), (name, b"a"))
    assert sentence.endswith("is repeated")


def test_a_header_that_is_not_text_is_refused() -> None:
    assert "ce_id is not UTF-8" in refused(("ce_type", b"RegisterOrder.v1"), ("ce_id", b"\xff"))


def test_foreign_headers_are_passed_over() -> None:
    """Tracing and tools add their own, binary and repeated."""
    foreign = (("b3", b"\xff"), ("b3", b"1"), ("__TypeId__", None))
    assert read_headers([*foreign, ("ce_id", b"a")]) == {"ce_id": "a"}


@pytest.mark.parametrize("parameters", ["", "; charset=UTF-8"])
def test_structured_mode_is_refused_with_what_to_do(parameters: str) -> None:
    media_type = f"application/cloudevents+json{parameters}".encode()
    assert "send CloudEvents in binary mode" in refused(("content-type", media_type))


@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ([], "ce_type is missing"),
        ([("ce_type", b"")], "ce_type is missing"),
        ([("ce_type", None)], "ce_type is missing"),
        ([("ce_type", b"RegisterOrder.v1"), ("ce_specversion", b"0.3")], "ce_specversion"),
        ([("ce_type", b"RegisterOrder.v1"), ("content-type", b"text/plain")], "content-type"),
        (
            [("ce_type", b"a"), ("content-type", b"application/cloudevents-batch+json")],
            "content-type",
        ),
    ],
)
def test_a_refusal_says_which_header(headers: list[tuple[str, bytes]], sentence: str) -> None:
    assert sentence in refused(*headers)


@pytest.mark.parametrize(
    "content_type", [None, b"application/json", b"Application/JSON;charset=utf-8"]
)
def test_a_publisher_may_leave_the_content_type_out(content_type: bytes | None) -> None:
    headers = [("ce_type", b"RegisterOrder.v1"), ("content-type", content_type)]
    assert command_type(read_headers(headers)) == "RegisterOrder.v1"


def test_the_value_needs_no_decoder() -> None:
    """It reads well in any Kafka dashboard: UTF-8, not escaped to ASCII."""
    message = told(PLAIN, json.dumps({"city": "Malmö"}, ensure_ascii=False).encode())
    assert from_kafka_event(message).get_data() == {"city": "Malmö"}
