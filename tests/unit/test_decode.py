"""From a record to a command, or to the sentence that tells its sender why it is none."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from order_contracts.cloudevents import DeleteGuard
from order_contracts.job import Operation
from order_contracts.topics import MIB
from order_runtime.documents.senders import Sender
from order_runtime.kafka.record_batches import BatchBounds
from order_runtime.kafka.record_conversion import unreadable_batch
from order_runtime.kafka.records import NOT_UTF8, TOO_MANY_HEADERS, Record
from order_writer.domain.batch_items import DecodedCommand, TopicInfo, UnreadableCommand
from order_writer.domain.decode import decode, poison_command
from support.builders.bodies import ABSENT, order_body
from support.builders.commands import (
    AT,
    PARTITIONS,
    TOPIC_INFO,
    command_record,
    delete,
    raw_record,
    register,
    seconds_later,
)
from support.builders.gateway_records import OWN_TOPIC as OWN
from support.builders.gateway_records import claimed, issued_id, own

ISSUED = issued_id()
GOOD = register().to_json()


def unreadable(sent: Record, reads: TopicInfo = TOPIC_INFO) -> UnreadableCommand:
    item = decode(sent, reads)
    assert isinstance(item, UnreadableCommand)
    assert (item.failure.code, item.failure.status) == ("ValidationFailed", 400)
    return item


def decoded(sent: Record, reads: TopicInfo = TOPIC_INFO) -> DecodedCommand:
    item = decode(sent, reads)
    assert isinstance(item, DecodedCommand)
    return item


def header(name: str, value: bytes) -> tuple[tuple[str, bytes], ...]:
    return ((name, value),)


@pytest.mark.parametrize("kind", [b"", b"RegisterOrder", b"RegisterOrder.v2", b"OrderDeleted.v1"])
def test_a_type_that_names_no_command_is_refused(kind: bytes) -> None:
    assert "ce_type" in unreadable(raw_record(GOOD, kind=kind.decode())).failure.detail


@pytest.mark.parametrize("value", [None, b""])
def test_an_empty_value_is_refused(value: bytes | None) -> None:
    """A tombstone is no command: the topic is not compacted."""
    assert unreadable(raw_record(value)).failure.detail == "The value is empty"


@pytest.mark.parametrize("value", [b"{", b"null", b"[]", b"\xff", b'{"a":1,"a":1}', b"NaN"])
def test_what_is_not_one_json_object_is_refused(value: bytes) -> None:
    (error,) = unreadable(raw_record(value)).failure.errors
    assert error.pointer == ""


def test_all_errors_of_a_command_are_listed_with_their_places() -> None:
    body = order_body("o-1", status=ABSENT, totalPrice="x", createdAt="?")
    errors = unreadable(raw_record(json.dumps(body).encode())).failure.errors
    assert {error.pointer for error in errors} == {"/status", "/totalPrice", "/createdAt"}


def test_no_more_than_a_hundred_errors_are_kept() -> None:
    """They are stored with the job and sent in a header."""
    body = order_body("o-1", lineItems={"items": [{}] * 500})
    assert len(unreadable(raw_record(json.dumps(body).encode())).failure.errors) == 100


@pytest.mark.parametrize("key", [None, b"", b"o-2", b"O-1", b"o-1 ", b"\xff"])
def test_a_key_that_is_not_the_order_id_is_refused(key: bytes | None) -> None:
    """Commands of one order would be on several partitions, in no order."""
    (error,) = unreadable(raw_record(GOOD, key)).failure.errors
    assert (error.pointer, error.code) == ("/orderId", "KeyMismatch")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("content-type", b"application/cloudevents+json"),
        ("ce_id", b"\xff"),
        ("ce_specversion", b"1.0"),
        ("ce_type", b"DeleteOrder.v1"),
        ("ce_idempotencykey", b""),
        ("ce_idempotencykey", b"k" * 256),
        ("ce_untrimmedkey", b""),
        ("ce_untrimmedkey", b"k" * 256),
    ],
)
def test_headers_that_mean_nothing_certain_are_refused(name: str, value: bytes) -> None:
    unreadable(raw_record(GOOD, job_id="job-1", headers=header(name, value)))


@pytest.mark.parametrize(
    "job_id", [b"", b"a b", b"a/b", "ä".encode(), b"a" * 256, b"a\n", b".", b".."]
)
def test_an_id_that_no_link_can_hold_is_refused(job_id: bytes) -> None:
    """Its job is found under the id of its position."""
    item = unreadable(raw_record(GOOD, headers=header("ce_id", job_id)))
    assert item.job_id == item.fallback_job_id
    assert "ce_id" in item.failure.detail


@pytest.mark.parametrize("job_id", ["a", "A-Z_0.9~", "a" * 255, ISSUED])
def test_the_id_of_a_command_is_its_job_id(job_id: str) -> None:
    assert decoded(raw_record(GOOD, job_id=job_id)).job_id == job_id


def test_an_unreadable_command_keeps_its_id() -> None:
    """So its sender finds out over HTTP."""
    assert unreadable(raw_record(b"{", job_id="job-1")).job_id == "job-1"


@pytest.mark.parametrize("kind", ["RegisterOrder.v2", "RegisterOrder.v0", "RegisterOrder"])
def test_another_version_of_a_command_is_told_which_one_is_read(kind: str) -> None:
    assert "send RegisterOrder.v1" in unreadable(raw_record(GOOD, kind=kind)).failure.detail


@pytest.mark.parametrize(
    ("value", "key", "headers"),
    [
        (b"{" + b" " * MIB, "o-1", ()),
        (GOOD, "o" * MIB, ()),
        (GOOD, "o-1", header("x", b"x" * MIB)),
        (b" " * MIB, "o-1", header("ce_type", b"repeated")),
    ],
)
def test_what_only_compression_made_small_enough_is_refused(
    value: bytes, key: str, headers: tuple[tuple[str, bytes], ...]
) -> None:
    """Under the id that its sender knows."""
    item = decode(raw_record(value, key, job_id="job-1", headers=headers), TOPIC_INFO)
    assert isinstance(item, UnreadableCommand)
    assert (item.failure.code, item.failure.status, item.job_id) == ("TooLarge", 413, "job-1")


def test_a_pointer_does_not_grow_with_the_name_it_shows() -> None:
    """An event tells it, and has a limit of its own."""
    body = order_body("o-1", billingAddress={"~" * 500_000: 1})
    item = unreadable(raw_record(json.dumps(body).encode()))
    assert all(len(error.pointer) < 200 for error in item.failure.errors)


@pytest.mark.parametrize("bad", [("ce_source", b"/again"), ("ce_ifmatch", b"\xff")])
def test_an_id_is_kept_whatever_is_wrong_with_other_headers(bad: tuple[str, bytes]) -> None:
    """Its sender looks for the job under it."""
    assert unreadable(raw_record(GOOD, job_id="job-1", headers=(bad,))).job_id == "job-1"


def test_a_command_without_an_id_has_that_of_its_position() -> None:
    sent = raw_record(GOOD, offset=7)
    first = decoded(sent).job_id
    others = [
        replace(sent, offset=8),
        replace(sent, partition=(sent.partition + 1) % PARTITIONS),
        replace(sent, at=seconds_later(0.001)),
    ]
    ids = {first, *(decoded(other).job_id for other in others)}
    ids.add(decoded(sent, replace(TOPIC_INFO, topic_id="topic-2")).job_id)
    assert len(ids) == 5
    assert decoded(sent).job_id == first


def test_a_consumer_passes_over_unknown_fields() -> None:
    body = order_body("o-1") | {"colour": "red", "size": 10**300}
    assert decoded(raw_record(json.dumps(body).encode())).order_id == "o-1"


@pytest.mark.parametrize("number", ["1e400", "1e-400", "9" * 4000, "1.00000000000000001"])
def test_an_unknown_field_may_hold_any_number(number: str) -> None:
    """The fingerprint is made of all that was sent."""
    body = json.dumps(order_body("o-1") | {"colour": "?"}).replace('"?"', number)
    assert decoded(raw_record(body.encode()))


def test_a_clock_is_judged_by_the_brokers_time() -> None:
    """So a replay judges as the first reading did."""
    body = register(createdAt=seconds_later(301).isoformat()).to_json()
    unreadable(raw_record(body))
    assert decoded(raw_record(body, at=seconds_later(1)))


def test_what_came_with_the_command_is_kept() -> None:
    headers = header("ce_ifmatch", b'"tag"') + header("ce_actions", b"suppress")
    item = decoded(raw_record(GOOD, headers=headers))
    assert (item.if_match, item.suppress_actions) == ('"tag"', True)


def test_which_life_is_meant_is_kept_of_a_deletion_and_refused_elsewhere() -> None:
    """Passed over, it would change an order that wasn't meant."""
    for named, guard in (
        (header("ce_registration", b"job-1"), DeleteGuard("job-1")),
        (header("ce_contactsince", b"3"), DeleteGuard(since=3)),
    ):
        item = decoded(
            replace(command_record(delete()), headers=(*command_record(delete()).headers, *named))
        )

        assert item.guard == guard
        assert "DeleteOrder alone" in unreadable(raw_record(GOOD, headers=named)).failure.detail


@pytest.mark.parametrize("text", [b"", b"0", b"-1", b"3.0", b"v3", b"9" * 19])
def test_since_when_is_a_version(text: bytes) -> None:
    headers = (*command_record(delete()).headers, *header("ce_contactsince", text))
    assert (
        "must be a version"
        in unreadable(replace(command_record(delete()), headers=headers)).failure.detail
    )


def test_a_command_on_another_partition_is_misrouted() -> None:
    sent = command_record(delete())
    assert not decoded(sent).misrouted
    assert decoded(replace(sent, partition=(sent.partition + 1) % PARTITIONS)).misrouted


@pytest.mark.parametrize(
    "value", [b"{", b"", json.dumps(order_body("o-1", status=ABSENT)).encode()]
)
def test_a_command_of_our_own_that_is_unreadable_is_known_as_such(value: bytes) -> None:
    """It was answered 202: to refuse it would lose it, and the release is at fault."""
    assert unreadable(own(value), OWN).from_gateway
    assert not unreadable(own(value), TOPIC_INFO).from_gateway


def test_a_command_of_our_own_was_judged_by_the_gateways_clock() -> None:
    """Which may be ahead of the broker's."""
    body = register(createdAt=seconds_later(3_600).isoformat()).to_json()
    assert decoded(raw_record(body, job_id=ISSUED), OWN)


def test_somebody_elses_unreadable_command_stops_nobody() -> None:
    unreadable(raw_record(b"{", job_id="0198a9c2-1f00-8abc-9def-0123456789ab"), OWN)


@pytest.mark.parametrize(
    "sent", [raw_record(GOOD, job_id="job-1"), raw_record(b"{", None), raw_record(None, b"\xff")]
)
def test_any_record_can_be_refused_as_poison(sent: Record) -> None:
    item = poison_command(sent, TOPIC_INFO)
    assert (item.failure.code, item.failure.status) == ("InternalError", 500)
    assert item.job_id in {"job-1", item.fallback_job_id}


def test_a_header_with_and_without_a_value_is_refused_like_any_garbage() -> None:
    """Headers are sorted for the fingerprint, and nothing sorts beside bytes."""
    unreadable(raw_record(b"{", headers=(("ce_subject2", None), *header("ce_subject2", b"x"))))


def test_poison_that_fails_amid_decoding_keeps_the_id_of_its_sender() -> None:
    """Who was answered 202 asks for the job by that id."""

    def broken(_: str) -> bool:
        raise RuntimeError("nobody knows why")

    item = poison_command(raw_record(GOOD, job_id="job-1"), replace(TOPIC_INFO, issued=broken))
    assert (item.job_id, item.order_id) == ("job-1", "o-1")


def test_a_refusal_never_repeats_what_was_sent() -> None:
    """It is stored, logged and sent in a header."""
    secret = "kim@example.com"
    body = order_body("o-1", currencyCode=secret, status=secret, createdAt=secret)
    failure = unreadable(raw_record(json.dumps(body | {secret: secret}).encode())).failure
    assert secret not in failure.to_json().decode()


@pytest.mark.parametrize("job_id", ["job-1", ISSUED])
def test_a_command_that_only_says_that_the_gateway_sent_it_is_somebody_elses(job_id: str) -> None:
    """Everybody can write a header, and every client has ids that were issued."""
    assert not unreadable(claimed(b"{", job_id=job_id), OWN).from_gateway


@pytest.mark.parametrize(
    "change",
    [
        {"key": b"o-2"},
        {"value": b"{"},
        {"headers": (*own(GOOD).headers, ("ce_actions", b"all"))},
        {"headers": (*own(GOOD).headers, ("CE_TYPE", b"RegisterOrder.v1"))},
        {"headers": (*own(GOOD).headers, ("content-type", b"text/plain"))},
        {"headers": (*own(GOOD).headers, ("traceparent", b"\xff"))},
    ],
)
def test_what_somebody_spoils_of_our_own_is_somebody_elses(change: Any) -> None:
    """Else whoever reads the topic could stop us with our own commands."""
    assert decoded(own(GOOD), OWN)
    assert not unreadable(replace(own(GOOD), **change), OWN).from_gateway


def test_a_command_of_our_own_that_is_sent_again_stops_nobody() -> None:
    """It was a dead letter: its job has failed, and can fail again."""
    sent = own(b"{")
    again = replace(sent, headers=(*sent.headers, ("orders-replay", ISSUED.encode())))
    assert unreadable(again, OWN).replayed_job_id == ISSUED
    assert not unreadable(again, OWN).from_gateway


def test_a_signature_that_is_none_of_ours_is_passed_over() -> None:
    """A valid command is a valid command."""
    sent = raw_record(GOOD, job_id="job-1", headers=header("ce_gatewaysignature", b"mine"))
    assert decoded(sent, OWN).fingerprint == decoded(raw_record(GOOD), OWN).fingerprint


@pytest.mark.parametrize(
    ("job_id", "client", "told"),
    [
        (ISSUED, b"shop", "shop"),
        (ISSUED, b"a shop", None),
        (ISSUED, b"s" * 65, None),
        ("job-1", b"shop", None),
    ],
)
def test_a_client_is_known_where_a_gateway_tells_it(
    job_id: str, client: bytes, told: str | None
) -> None:
    """Anybody can write the header."""
    sent = raw_record(GOOD, job_id=job_id, headers=header("ce_client", client))
    assert decoded(sent, OWN).sender == Sender("/test", told)


def test_a_command_of_our_own_is_never_misrouted() -> None:
    """The gateway places it by its key; to compute that again costs time."""
    sent = raw_record(GOOD, job_id=ISSUED)
    moved = replace(sent, partition=(sent.partition + 1) % PARTITIONS)
    assert decoded(moved, TOPIC_INFO).misrouted
    assert not decoded(moved, OWN).misrouted


@pytest.mark.parametrize("key", [b"k", b"k" * 255])
def test_an_idempotency_key_has_up_to_255_characters(key: bytes) -> None:
    headers = header("ce_idempotencykey", key)
    assert decoded(raw_record(GOOD, headers=headers)).idempotency_keys == (key.decode(),)


def test_a_guard_may_name_a_version_of_18_digits() -> None:
    headers = (*command_record(delete()).headers, *header("ce_contactsince", b"9" * 18))
    item = decoded(replace(command_record(delete()), headers=headers))
    assert item.guard.since == int("9" * 18)


def test_a_replay_without_an_id_has_that_of_the_job_that_failed() -> None:
    replayed = raw_record(GOOD, headers=header("orders-replay", b"job-1"))
    assert (decoded(replayed).job_id, decoded(replayed).replayed_job_id) == ("job-1", "job-1")
    broken = replace(replayed, value=b"{")
    assert (unreadable(broken).job_id, unreadable(broken).replayed_job_id) == ("job-1", "job-1")


def test_a_command_has_the_operation_that_its_type_names() -> None:
    assert decoded(raw_record(GOOD)).operation is Operation.REGISTER
    assert decoded(command_record(delete())).operation is Operation.DELETE


def test_whatever_belongs_to_a_refused_record_is_kept() -> None:
    """It is found by its key; and poison by the fingerprint that it decodes to."""
    assert unreadable(raw_record(b"{")).order_id == "o-1"
    replayed = raw_record(GOOD, job_id="job-1", headers=header("orders-replay", b"job-0"))
    poison = poison_command(replayed, TOPIC_INFO)
    assert poison.fingerprint == decoded(replayed).fingerprint
    assert (poison.replayed_job_id, poison.from_gateway) == ("job-0", False)
    assert not poison.without_stored


def test_a_poisoned_command_says_that_it_is_a_dead_letter() -> None:
    item = poison_command(command_record(register(), "job-1"), TOPIC_INFO)

    assert (item.order_id, item.failure.code) == (register().order_id, "InternalError")
    assert item.failure.detail == "The command could not be applied; it is a dead letter."


def test_a_version_that_is_not_read_is_answered_with_the_one_that_is() -> None:
    reason = unreadable(raw_record(GOOD, kind="RegisterOrder.v2")).failure.detail

    assert (
        reason == "The header ce_type names a version that is not read here: send RegisterOrder.v1"
    )


def test_a_type_of_another_system_is_told_so() -> None:
    reason = unreadable(raw_record(GOOD, kind="OrderDeleted.v1")).failure.detail

    assert reason == "The header ce_type names no command of this system"


@pytest.mark.parametrize("reason", [NOT_UTF8, TOO_MANY_HEADERS])
def test_a_record_whose_headers_the_client_cannot_read_is_refused(reason: str) -> None:
    """Its key and value are kept, and name the order; its headers may be missing."""
    sent = replace(command_record(register("o-1")), headers=(), unreadable=reason)
    item = unreadable(sent)
    assert (item.failure.detail, item.order_id) == (reason, "o-1")
    assert item.job_id == item.fallback_job_id


def test_the_senders_id_counts_where_the_client_read_it() -> None:
    sent = replace(command_record(register("o-1"), "job-1"), unreadable=TOO_MANY_HEADERS)
    assert unreadable(sent).job_id == "job-1"


def test_a_batch_that_cannot_be_read_is_one_command_with_the_id_of_its_place() -> None:
    bounds = BatchBounds(first=42, last=49, at=round(AT.timestamp() * 1000))
    batch = unreadable_batch("orders.commands", 3, bounds)
    item = unreadable(batch)
    assert (item.job_id, item.order_id) == (item.fallback_job_id, None)
    other = unreadable_batch("orders.commands", 3, BatchBounds(50, 59, bounds.at))
    assert unreadable(other).job_id != item.job_id


def test_what_the_client_cannot_read_is_never_our_own_commands_fault() -> None:
    """A gateway's headers are text: the writer must not stop for such a record."""
    sent = replace(command_record(register("o-1"), ISSUED), unreadable=TOO_MANY_HEADERS)
    sent = replace(sent, headers=(*sent.headers, ("ce_source", b"/gateway")))
    assert not unreadable(sent, OWN).from_gateway
