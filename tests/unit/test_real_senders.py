"""What real senders send, on both sides: the gateway's requests and the order-writer's records."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.command_record import (
    Submission,
    claim_fingerprints,
    command_for_path,
    command_of,
)
from gateway.domain.request_terms import RequestTerms
from gateway.http.bulk_body import BulkInput, lines
from order_contracts.commands import ChangeOrderStatus, Command, RegisterOrder
from order_contracts.decoding import parse
from order_contracts.rounding import RoundedNumbers
from order_runtime.documents.fingerprints import fingerprint
from order_runtime.documents.jobs import LedgerEntry
from order_runtime.documents.orders import LiveOrder, order_document, order_of
from order_runtime.kafka.partitioning import partition_of
from order_runtime.kafka.records import Record
from order_writer.domain.batch_items import DecodedCommand, TopicInfo, UnreadableCommand
from order_writer.domain.decode import decode
from support.builders.bodies import Json, line, order_body
from support.builders.commands import (
    AT,
    PARTITIONS,
    TOPIC_INFO,
    command_record,
    raw_record,
    register,
)
from support.builders.gateway_records import OWN_TOPIC, issued_id, own, signed
from support.builders.validation import parsed
from support.fakes.memory_ledger import MemoryLedger

RESIDUE = 49.989999999999995
STRUCTURED = ("content-type", b"application/cloudevents+json; charset=utf-8")


def applied(*records: Record, topic: TopicInfo = TOPIC_INFO) -> MemoryLedger:
    ledger = MemoryLedger()
    for record in records:
        ledger.apply([decode(record, topic)])
    return ledger


def decoded(record: Record, topic: TopicInfo = TOPIC_INFO) -> DecodedCommand:
    item = decode(record, topic)
    assert isinstance(item, DecodedCommand), item
    return item


def warnings(entry: LedgerEntry) -> list[tuple[str, str | None]]:
    return [(it.code, it.reference) for it in entry.warnings]


def live(ledger: MemoryLedger, order_id: str = "o-1") -> LiveOrder:
    state = ledger.orders[order_id]
    assert isinstance(state, LiveOrder)
    return state


# Rounding


def residue_body() -> Json:
    return order_body(
        "o-1", lineItems={"items": [line(unitPrice=RESIDUE)]}, extraData={"n": 0.1 + 0.2}
    )


ROUNDED = [("Rounded", "/lineItems/items/0/unitPrice"), ("Rounded", "/extraData/n")]


def test_a_publishers_float_residue_is_rounded_and_its_job_says_where() -> None:
    record = raw_record(json.dumps(residue_body()).encode(), job_id="job-1")
    ledger = applied(record)
    assert sorted(warnings(ledger.jobs["job-1"])) == sorted(ROUNDED)
    assert ledger.log == {}, "it is told by the job alone"


def sent_by_gateway(body: Json, job_id: str | None = None, **terms: Any) -> Record:
    """Return the record of a registration as our gateway publishes it."""
    rounded = RoundedNumbers()
    command = command_of(RegisterOrder, parsed(body), AT, rounded=rounded)
    return submitted(command, rounded, job_id, **terms)


def submitted(
    command: Command, rounded: RoundedNumbers, job_id: str | None = None, **terms: Any
) -> Record:
    submission = Submission(
        job_id or issued_id(), command, AT, RequestTerms(**terms), rounded.found
    )
    sent = submission.record()
    partition = partition_of(sent.key or b"", PARTITIONS)
    return signed(Record(sent.topic, partition, 0, AT, sent.key, sent.value, sent.headers))


def test_a_gateways_float_residue_is_told_by_the_job_as_well() -> None:
    """The order-writer gets what is rounded already: the gateway hands the pointers on."""
    record = sent_by_gateway(residue_body())
    assert b'"unitPrice":49.99}' in (record.value or b"")
    assert OWN_TOPIC.signed(record)
    ledger = applied(record, topic=OWN_TOPIC)
    assert sorted(warnings(ledger.jobs[issued_id()])) == sorted(ROUNDED)


def test_a_body_without_residue_makes_the_record_that_it_made_before() -> None:
    assert "ce_rounded" not in dict(sent_by_gateway(order_body("o-1")).headers)


def test_nobody_else_tells_what_was_rounded() -> None:
    """Else a publisher could fill jobs with pointers to nothing."""
    header = (("ce_rounded", b'[1,"/totalPrice"]'),)
    record = command_record(register(), "job-1", headers=header)
    assert applied(record).jobs["job-1"].warnings == ()


def test_a_failed_command_tells_no_rounding() -> None:
    record = raw_record(json.dumps(residue_body()).encode(), job_id="job-1")
    again = replace(
        record, headers=tuple((n, b"job-2" if n == "ce_id" else v) for n, v in record.headers)
    )
    assert warnings(applied(record, again).jobs["job-2"]) == []


# Times


def change_at(at: str, job_id: str) -> Record:
    body = {"orderId": "o-1", "status": "Completed", "externalStatus": at, "lastChangedAt": at}
    return raw_record(json.dumps(body).encode(), kind="ChangeOrderStatus.v1", job_id=job_id)


def test_of_two_changes_within_a_millisecond_the_older_one_is_stale() -> None:
    first, second = "2025-11-28T10:00:00.123900Z", "2025-11-28T10:00:00.123100Z"
    ledger = applied(command_record(register()), change_at(first, "a"), change_at(second, "b"))
    assert live(ledger).order.external_status == first
    assert warnings(ledger.jobs["b"]) == [("StaleChange", None)]


def test_what_get_answers_may_be_put_and_is_not_stale() -> None:
    at = "2025-11-28T10:00:00.1239001Z"
    ledger = applied(command_record(register(lastChangedAt=at)))
    view = live(ledger).view()
    put = raw_record(view.to_json(), kind="ReplaceOrder.v1", job_id="put")
    ledger.apply([decode(put, TOPIC_INFO)])
    assert ledger.jobs["put"].warnings == ()
    assert live(ledger).order.last_changed_at == at


def test_digits_are_stored_as_text_beside_the_date() -> None:
    """A release that reads dates alone finds them, to the millisecond."""
    ledger = applied(command_record(register(lastChangedAt="2025-11-28T10:00:00.1239Z")))
    document = order_document("o-1", live(ledger))
    assert document["statusChangedAt"].isoformat() == "2025-11-28T10:00:00.123000+00:00"
    assert document["order"]["lastChangedAt"] == document["deliveryChangedAt"]
    assert order_of(document) == live(ledger)
    del document["exactTimes"]
    former = order_of(document)
    assert isinstance(former, LiveOrder)
    assert former.order.last_changed_at == "2025-11-28T10:00:00.123Z"
    assert former.status_changed_at == document["statusChangedAt"]


# Change of status


def test_an_external_status_changes_alone_and_the_status_stays() -> None:
    body = {"orderId": "o-1", "externalStatus": "packed", "lastChangedAt": AT.isoformat()}
    record = raw_record(json.dumps(body).encode(), kind="ChangeOrderStatus.v1", job_id="job-1")
    ledger = applied(command_record(register(status="Cancelled")), record)
    order = live(ledger)
    assert (order.order.status, order.order.external_status) == ("Cancelled", "packed")
    assert order.cancelled_since == order.version - 1


# Retries across the upgrade


def former_print(command: Command, terms: RequestTerms) -> str:
    """Return the fingerprint of a release that cut lastChangedAt to milliseconds."""
    value = parse(command.to_json()) | {"lastChangedAt": "2025-11-28T10:00:00.123Z"}
    kind = f"{type(command).__name__}.v1"
    return fingerprint(kind, value, terms.if_match, suppress=terms.suppress_actions)


def test_a_retry_matches_the_claim_of_the_release_before() -> None:
    body = {"status": "Completed", "lastChangedAt": "2025-11-28T10:00:00.1239Z"}
    command = command_for_path(ChangeOrderStatus, "o-1", parsed(body), AT)
    terms = RequestTerms(if_match='"tag"', idempotency_key="k")
    assert former_print(command, terms) in claim_fingerprints(command, terms)
    other = command.model_copy(update={"external_status": "packed"})
    assert former_print(other, terms) not in claim_fingerprints(command, terms)
    assert former_print(command, terms) not in claim_fingerprints(
        command, replace(terms, if_match=None)
    )


@pytest.mark.parametrize("sent", ["2025-11-28T10:00:00Z", "2025-11-28T10:00:00.1239Z"])
def test_a_retry_that_crosses_the_upgrade_is_an_alias(sent: str) -> None:
    """The former gateway published milliseconds, this one every digit, under one key."""
    former, key = sent[:19] + (".000Z" if len(sent) == 20 else ".123Z"), "hash"
    first = sent_by_gateway(order_body("o-1", lastChangedAt=former), idempotency_key=key)
    body = parse(first.value or b"")
    retried = sent_by_gateway(
        json.loads(json.dumps(body, default=float)) | {"lastChangedAt": sent},
        issued_id(random=6),
        idempotency_key=key,
    )
    ledger = applied(first, retried, topic=OWN_TOPIC)
    assert ledger.jobs[issued_id(random=6)].alias_of == issued_id()


def test_other_digits_under_one_key_are_another_command() -> None:
    key = (("ce_idempotencykey", b"k"),)
    records = [
        change_at(f"2025-11-28T10:00:00.{digits}Z", f"job-{digits}")
        for digits in ("123", "1239", "1231")
    ]
    records = [replace(it, headers=it.headers + key) for it in records]
    ledger = applied(command_record(register()), *records)
    failures = [ledger.jobs[f"job-{n}"].failure for n in ("1239", "1231")]
    assert [it and it.code for it in failures] == ["IdempotencyKeyReused"] * 2


def test_a_gateway_of_the_release_before_may_send_a_blank_key() -> None:
    """It answered 202: to refuse its record would stop the order-writer."""
    body = order_body("o-1", contact={"matchKey": "  ", "matchKeyType": "Email"})
    assert isinstance(decode(own(json.dumps(body).encode()), OWN_TOPIC), DecodedCommand)
    refused = decode(raw_record(json.dumps(body).encode(), job_id="job-1"), OWN_TOPIC)
    assert isinstance(refused, UnreadableCommand)
    assert [it.pointer for it in refused.failure.errors] == ["/contact/matchKey"]


# Structured mode


def structured(body: Json, *more: tuple[str, bytes], **attributes: Any) -> Record:
    event = {"specversion": "1.0", "type": "RegisterOrder.v1", "id": "job-1", "source": "/outbox"}
    content = json.dumps(event | attributes | {"data": body}).encode()
    record = raw_record(content)
    return replace(record, headers=more)


def test_the_same_id_and_data_in_both_modes_is_one_command() -> None:
    body = residue_body()
    binary = decoded(raw_record(json.dumps(body).encode(), job_id="job-1"))
    for more in ((STRUCTURED,), ()):
        item = decoded(structured(body, *more))
        assert (item.job_id, item.fingerprint) == ("job-1", binary.fingerprint)
        assert (item.command, item.rounded) == (binary.command, binary.rounded)


def test_the_attributes_of_an_event_count_and_the_headers_do_not() -> None:
    junk = (
        ("ce_id", b"other"),
        ("CE_ID", b"\xff"),
        ("ce_type", b"DeleteOrder.v1"),
        ("ce_actions", b"never"),
        ("orders-replay", b"job-0"),
    )
    item = decoded(
        structured(
            order_body("o-1"),
            STRUCTURED,
            *junk,
            actions="suppress",
            idempotencykey="k",
            ifmatch="*",
        )
    )
    assert (item.job_id, item.operation) == ("job-1", "RegisterOrder")
    assert (item.suppress_actions, item.idempotency_keys, item.if_match) == (True, ("k",), "*")
    assert item.replayed_job_id == "job-0"


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"type": None}, "The attribute type is missing"),
        ({"type": "PaintOrder.v1"}, "The attribute type names no command"),
        ({"specversion": "0.3"}, "The attribute specversion must be 1.0"),
        ({"datacontenttype": "application/xml"}, "The attribute datacontenttype must be"),
        ({"actions": "supress"}, "The attribute actions must be suppress"),
        ({"registration": "job-0"}, "The attribute registration is for DeleteOrder alone"),
    ],
)
def test_what_is_wrong_with_an_event_is_told_by_its_attribute(attributes: Json, told: str) -> None:
    item = decode(structured(order_body("o-1"), STRUCTURED, **attributes), TOPIC_INFO)
    assert isinstance(item, UnreadableCommand)
    assert told in item.failure.detail
    assert item.job_id == "job-1", "its sender finds out over HTTP"


@pytest.mark.parametrize("job_id", ["", "a b", "..", "ä", "a" * 256, [1], {"a": 1}])
def test_an_event_id_that_no_link_can_hold_is_refused(job_id: Any) -> None:
    item = decode(structured(order_body("o-1"), STRUCTURED, id=job_id), TOPIC_INFO)
    assert isinstance(item, UnreadableCommand)
    assert item.job_id == item.fallback_job_id


def test_an_event_without_an_id_has_the_one_of_its_place() -> None:
    item = decoded(structured(order_body("o-1"), STRUCTURED, id=None))
    assert item.job_id == item.fallback_job_id


def test_an_event_without_data_or_of_no_object_is_refused() -> None:
    record = structured({}, STRUCTURED)
    for content in (b"[]", b"{", b"", None, b'{"specversion": "1.0", "type": "RegisterOrder.v1"}'):
        item = decode(replace(record, value=content), TOPIC_INFO)
        assert isinstance(item, UnreadableCommand)
        assert item.failure.code == "ValidationFailed"


def test_an_event_is_never_our_gateways() -> None:
    """Neither under an issued id, nor with the headers of a signed record."""
    job_id = issued_id()
    ahead = order_body("o-1", createdAt="2999-01-01T00:00:00Z")
    gateways = own(json.dumps(ahead).encode(), job_id=job_id)
    assert isinstance(decode(gateways, OWN_TOPIC), DecodedCommand)
    event = structured(ahead, STRUCTURED, id=job_id)
    item = decode(event, OWN_TOPIC)
    assert isinstance(item, UnreadableCommand), "its time is compared"
    unsigned = [it for it in gateways.headers if it[0] != "content-type"]
    forged = signed(replace(event, headers=(*unsigned, STRUCTURED), value=event.value))
    item = decode(forged, OWN_TOPIC)
    assert isinstance(item, UnreadableCommand)
    assert not item.from_gateway


def test_a_binary_record_may_be_named_like_an_event() -> None:
    """Its content type says what it is; the member is one that this system doesn't know."""
    record = raw_record(json.dumps(order_body("o-1") | {"specversion": "1.0"}).encode(), job_id="j")
    assert decoded(record).job_id == "j"


# NDJSON


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n"])
def test_lines_may_come_from_windows(start: bytes) -> None:
    content = start + b'{"orderId":"bom-1"}\r\n\r\n{"orderId":"bom-2"}\r\n \t\r\n'

    rows = [BulkInput(at, row, of_array=False).value() for at, row in enumerate(lines(content))]
    assert rows == [{"orderId": "bom-1"}, {"orderId": "bom-2"}]
