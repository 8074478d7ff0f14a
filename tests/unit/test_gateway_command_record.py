"""From a request's body to the record that asks for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given

from gateway.app.command_acceptance import CommandAcceptance
from gateway.domain.command_record import (
    Submission,
    claim_fingerprints,
    command_for_path,
    command_of,
)
from gateway.domain.request_terms import RequestTerms
from order_contracts.commands import ChangeOrderDelivery, Command, DeleteOrder, RegisterOrder
from order_contracts.decoding import Invalid
from order_runtime.kafka.partitioning import partition_of
from order_runtime.kafka.records import Outgoing, Record
from order_writer.domain.batch_items import DecodedCommand
from order_writer.domain.decode import decode
from support.builders.bodies import Json, order_body
from support.builders.commands import PARTITIONS, TOPIC_INFO, change_delivery
from support.builders.gateway_records import SECRETS, SIGNATURES
from support.builders.order_strategies import NOW, order_bodies
from support.builders.validation import parsed

AT = datetime(2025, 11, 28, 10, 0, tzinfo=UTC)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
FULL = RequestTerms(if_match='"tag"', idempotency_key="k", traceparent=TRACE)
BEFORE = RequestTerms(idempotency_key="k", untrimmed_key="k ")


def registration(body: Json, now: datetime = AT) -> RegisterOrder:
    return command_of(RegisterOrder, parsed(body), now)


def decoded(command: Command, terms: RequestTerms = FULL) -> DecodedCommand:
    """Return what the order-writer makes of a command that the gateway sends."""
    sent = Submission("job-1", command, NOW, terms).record()
    partition = partition_of(sent.key or b"", PARTITIONS)
    record = Record(sent.topic, partition, 0, NOW, sent.key, sent.value, sent.headers)
    item = decode(record, TOPIC_INFO)
    assert isinstance(item, DecodedCommand)
    return item


def test_a_command_is_keyed_by_its_order() -> None:
    """Commands of one order are applied in the order they were accepted."""
    record = Submission("job-1", registration(order_body("o-1")), AT, FULL).record()
    assert (record.topic, record.key) == ("orders.commands", b"o-1")


def test_a_command_carries_its_job_its_time_and_its_terms() -> None:
    headers = dict(Submission("job-1", registration(order_body("o-1")), AT, FULL).record().headers)
    assert headers["ce_id"] == b"job-1"
    assert headers["ce_type"] == b"RegisterOrder.v1"
    assert headers["ce_time"] == b"2025-11-28T10:00:00.000Z"
    assert headers["ce_source"] == b"/gateway"
    assert headers["traceparent"] == TRACE.encode()
    assert "ce_actions" not in headers


@given(order_bodies())
def test_the_writer_decodes_what_the_gateway_sends(order: Json) -> None:
    """Whatever was answered 202 can be read; else the writer would have to stop."""
    command = registration(order, NOW)
    item = decoded(command)
    assert (item.command, item.job_id, item.misrouted) == (command, "job-1", False)


@pytest.mark.parametrize("suppress", [True, False])
@pytest.mark.parametrize("terms", [FULL, RequestTerms(), BEFORE])
def test_the_terms_arrive(terms: RequestTerms, *, suppress: bool) -> None:
    item = decoded(registration(order_body("o-1")), replace(terms, suppress_actions=suppress))
    assert (item.if_match, item.idempotency_keys) == (terms.if_match, terms.keys)
    assert item.suppress_actions == suppress


@given(order_bodies())
def test_the_gateway_knows_the_fingerprint_that_the_writer_finds(order: Json) -> None:
    """By which it tells a retry under an Idempotency-Key from another command."""
    command = registration(order, NOW)
    assert decoded(command).fingerprint in claim_fingerprints(command, FULL)
    assert decoded(command).fingerprint not in claim_fingerprints(command, RequestTerms())


def test_a_cleared_field_is_part_of_the_fingerprint_and_arrives() -> None:
    """`null` clears; it must not be lost between the gateway and the writer."""
    command = change_delivery(delivery={"method": None})
    item = decoded(command)
    assert isinstance(item.command, ChangeOrderDelivery)
    assert item.command.delivery.model_fields_set == {"method"}
    assert item.fingerprint != decoded(change_delivery(delivery={})).fingerprint


def test_two_spellings_of_a_body_are_one_command() -> None:
    """It is sent in our spelling, so its fingerprint doesn't depend on the client's."""
    plain = order_body("o-1", totalPrice=9.9)
    loose = dict(reversed(plain.items())) | {"totalPrice": "9.90", "currencyCode": "eur"}
    assert registration(plain).to_json() == registration(loose).to_json()


def test_the_door_is_strict() -> None:
    with pytest.raises(Invalid):
        registration(order_body(colour="red"))
    with pytest.raises(Invalid):
        registration(order_body(createdAt=(AT + timedelta(minutes=6)).isoformat()))


@pytest.mark.parametrize("body", [{}, {"orderId": None}, {"orderId": "o-1"}])
def test_the_path_names_the_order_and_the_body_may(body: Json) -> None:
    assert command_for_path(DeleteOrder, "o-1", body, AT) == DeleteOrder(order_id="o-1")


@pytest.mark.parametrize("named", ["o-2", "", 1, ["o-1"]])
def test_a_body_that_names_another_order_is_refused(named: object) -> None:
    with pytest.raises(Invalid) as refused:
        command_for_path(DeleteOrder, "o-1", {"orderId": named}, AT)
    assert [error.pointer for error in refused.value.errors] == ["/orderId"]


def test_a_body_that_names_another_order_is_told_all_its_other_errors_too() -> None:
    body = parsed({"orderId": "o-2", "delivery": {}, "colour": "red"})
    with pytest.raises(Invalid) as refused:
        command_for_path(ChangeOrderDelivery, "o-1", body, AT)
    pointers = [error.pointer for error in refused.value.errors]
    assert pointers == ["/orderId", "/lastChangedAt", "/colour"]


def test_a_command_to_a_path_is_judged_at_the_given_time() -> None:
    body = {"delivery": {}, "lastChangedAt": (AT + timedelta(minutes=6)).isoformat()}
    with pytest.raises(Invalid) as refused:
        command_for_path(ChangeOrderDelivery, "o-1", parsed(body), AT)
    assert [error.pointer for error in refused.value.errors] == ["/lastChangedAt"]
    later = command_for_path(ChangeOrderDelivery, "o-1", parsed(body), AT + timedelta(hours=1))
    assert later.order_id == "o-1"


@pytest.mark.parametrize("body", [[], "o-1", 1])
def test_a_body_to_a_path_that_is_no_object_is_refused(body: object) -> None:
    with pytest.raises(Invalid) as refused:
        command_for_path(DeleteOrder, "o-1", body, AT)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("", "Invalid")]


def test_as_many_errors_are_told_as_the_caller_still_has_room_for() -> None:
    body = order_body() | {f"a{number}": 1 for number in range(20)}
    with pytest.raises(Invalid) as refused:
        command_of(RegisterOrder, parsed(body), AT, most=5)
    assert [error.code for error in refused.value.errors] == ["Unknown"] * 5 + ["TooMany"]


@pytest.mark.parametrize("suppress", [True, False])
def test_suppressed_actions_are_part_of_the_fingerprint(*, suppress: bool) -> None:
    """Else a retry that fires actions would be taken for one that does not."""
    command, terms = registration(order_body("o-1")), RequestTerms(suppress_actions=suppress)
    assert claim_fingerprints(command, terms) == {decoded(command, terms).fingerprint}
    other = RequestTerms(suppress_actions=not suppress)
    assert claim_fingerprints(command, other).isdisjoint(claim_fingerprints(command, terms))


class Publishes:
    """Keeps what is handed over."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []

    def hand_over(self, record: Outgoing) -> None:
        self.sent.append(record)


def test_what_the_gateway_sends_proves_that_it_did() -> None:
    """By which an order-writer tells its commands from those that only claim to be."""
    nothing: Any = SimpleNamespace()
    publisher: Any = Publishes()
    acceptance = CommandAcceptance(publisher, nothing, nothing, SECRETS, SIGNATURES)
    acceptance.hand_over(acceptance.submission(registration(order_body("o-1")), FULL))
    (sent,) = publisher.sent
    at = datetime.now(UTC)
    assert SIGNATURES.made(Record(sent.topic, 0, 0, at, sent.key, sent.value, sent.headers))
    assert not SIGNATURES.made(Record(sent.topic, 0, 0, at, b"o-2", sent.value, sent.headers))
    assert [it[0] for it in sent.headers if it[0].startswith("ce_")] == [
        *("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject"),
        *("ce_ifmatch", "ce_idempotencykey", "ce_gatewaysignature"),
    ]
