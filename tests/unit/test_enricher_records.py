"""Records become events and reference documents, or a reason that repeats nothing of them."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from enricher.domain.contact_matching import ContactKeys
from enricher.domain.decode import UnreadableEvent, received_event
from enricher.domain.references import (
    changed_keys,
    is_merged_class,
    match_class,
    reference_document,
    split_at_deletions,
)
from order_contracts.cloudevents import Headers
from order_contracts.decoding import Invalid
from order_contracts.events import EventType
from order_contracts.topics import ARTICLES, CONTACTS, STORES, Topic
from order_runtime.documents.erasures import ERASURE_RETENTION
from order_runtime.kafka.records import NOT_UTF8, Record
from support.builders.bodies import Json, article_body, contact_body, order_body, store_body
from support.builders.writer_fixtures import AT, WriterFixture, read_back, reference_record

EVENT = read_back(WriterFixture("o-1").register(order_body("o-1")).event)


def without(name: str) -> Headers:
    return tuple((key, value or b"") for key, value in EVENT.headers if key != name)


def test_an_event_tells_what_happened_and_when_its_command_was_accepted() -> None:
    event = received_event(EVENT)

    assert (event.kind, event.accepted_at) == (EventType.REGISTERED, AT)
    assert event.event.order_id == "o-1"


def test_the_brokers_time_does_not_replace_the_commands() -> None:
    assert received_event(replace(EVENT, at=AT + timedelta(days=1))).accepted_at == AT


def test_without_a_time_of_its_own_an_event_has_the_brokers() -> None:
    assert received_event(replace(EVENT, headers=without("ce_time"))).accepted_at == EVENT.at


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (replace(EVENT, headers=without("ce_type")), "ce_type is missing"),
        (replace(EVENT, headers=(*without("ce_type"), ("ce_type", b"Anna"))), "names no event"),
        (replace(EVENT, value=None), "Is not JSON"),
        (replace(EVENT, value=b'{"orderId": "Anna"}'), "/jobId"),
    ],
)
def test_what_is_no_event_is_refused_with_a_reason(record: Record, reason: str) -> None:
    with pytest.raises(UnreadableEvent, match=reason) as refused:
        received_event(record)

    assert "Anna" not in str(refused.value)


def position_of(record: Record) -> Json:
    return {
        "at": record.at,
        "topic": "topic",
        "partition": record.partition,
        "offset": record.offset,
    }


@pytest.mark.parametrize(
    ("topic", "body", "key"),
    [
        (CONTACTS, contact_body("c-1"), "c-1"),
        (ARTICLES, article_body("mug"), "mug"),
        (STORES, store_body("shop"), "shop"),
    ],
)
def test_a_reference_record_is_kept_under_its_key_with_its_position(
    topic: Topic, body: Json, key: str
) -> None:
    """More fields than the contract's are passed over, so that they are never kept."""
    record = reference_record(topic.name, key, json.dumps({**body, "shoeSize": 41}).encode())

    document = reference_document(record, ContactKeys(b"secret"), "topic")

    assert document.get("contactId", document["_id"]) == key
    assert document["position"] == position_of(record)
    assert "shoeSize" not in document


def test_a_contact_is_kept_with_the_keys_it_is_found_by() -> None:
    value = {"contactId": "c-1", "email": "Ann@x.se", "contactType": "Member", "language": "sv"}
    record = reference_record(CONTACTS.name, "c-1", json.dumps(value).encode())
    keys = ContactKeys(b"secret")

    assert reference_document(record, keys, "topic") == {
        "_id": keys.hashed("ContactId:c-1"),
        "contactId": "c-1",
        "keys": ["ContactId:c-1", "Email:ann@x.se"],
        "contactType": "Member",
        "language": "sv",
        "position": position_of(record),
    }


def test_the_keys_that_changed_are_those_of_now_and_before() -> None:
    contact = {"_id": "hash", "keys": ["Email:new"], "formerKeys": ["Email:old"]}

    own = "Survivor:hash"  # of those that wait for what was merged into it
    assert changed_keys(CONTACTS.name, contact) == {"Email:new", "Email:old", own}
    assert changed_keys(CONTACTS.name, {"_id": "hash"}) == {own}
    assert changed_keys(ARTICLES.name, {"_id": "mug"}) == {"Article:mug"}
    assert changed_keys(STORES.name, {"_id": "shop"}) == {"Store:shop"}


def test_an_event_keeps_its_trace() -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    traced, malformed = (
        replace(EVENT, headers=(*EVENT.headers, ("traceparent", sent)))
        for sent in (trace.encode(), b"00-trace")
    )

    assert received_event(traced).traceparent == trace
    assert received_event(malformed).traceparent is None
    assert received_event(EVENT).traceparent is None


def test_a_deletion_leaves_a_position_and_nothing_else() -> None:
    record = reference_record(STORES.name, "shop", None)

    assert reference_document(record, ContactKeys(b"secret"), "topic") == {
        "_id": "shop",
        "deletedAt": record.at,
        "position": position_of(record),
    }


def test_a_contacts_deletion_leaves_what_only_who_has_the_secret_knows_again() -> None:
    gone = reference_record(CONTACTS.name, "c-1", None)
    there = reference_record(CONTACTS.name, "c-1", json.dumps(contact_body("c-1")).encode())

    document = reference_document(gone, ContactKeys(b"secret"), "topic")

    assert document["_id"] == reference_document(there, ContactKeys(b"secret"), "topic")["_id"]
    assert document["_id"] != reference_document(gone, ContactKeys(b"another"), "topic")["_id"]
    assert document["expireAt"] == gone.at + ERASURE_RETENTION
    assert "c-1" not in str(document)


@pytest.mark.parametrize(
    ("record", "cut"),
    [
        ("a b a", ["a b a"]),
        ("a -a a", ["a", "-a", "a"]),
        ("a b -c -a b", ["a b -c", "-a b"]),
        ("-a -a", ["-a", "-a"]),
    ],
)
def test_a_deletion_shares_its_stretch_with_nothing_about_the_same_contact(
    record: str, cut: list[str]
) -> None:
    records = [
        reference_record(CONTACTS.name, it.strip("-"), None if it.startswith("-") else b"{}")
        for it in record.split()
    ]

    found = [
        " ".join(f"{'' if it.value else '-'}{(it.key or b'').decode()}" for it in run)
        for run in split_at_deletions(records)
    ]

    assert found == cut


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("c-1", b"Anna", "Is not JSON"),
        ("c-1", b'{"email": "anna@example.com"}', "/contactId"),
        ("c-1", b'{"contactId": "anna"}', "must be the id in the value"),
        ("", b'{"contactId": "anna"}', "key is missing"),
    ],
)
def test_a_bad_reference_record_is_refused_with_a_reason(
    key: str, value: bytes, reason: str
) -> None:
    with pytest.raises(Invalid, match=reason) as refused:
        reference_document(
            reference_record(CONTACTS.name, key, value), ContactKeys(b"secret"), "topic"
        )

    assert "anna" not in str(refused.value).lower()


def test_a_contact_is_kept_with_its_type_and_its_language() -> None:
    body = contact_body(contactType="Member", language="sv-SE")
    record = reference_record(CONTACTS.name, body["contactId"], json.dumps(body).encode())

    document = reference_document(record, ContactKeys(b"secret"), "topic")

    assert (document["contactType"], document["language"]) == ("Member", "sv-SE")


def test_a_reference_record_whose_key_is_no_text_says_so() -> None:
    record = replace(reference_record(STORES.name, "s-1", None), key=b"\xff")

    with pytest.raises(Invalid, match="The key must be UTF-8 text"):
        reference_document(record, ContactKeys(b"secret"), "topic")


def test_the_secret_of_erasures_is_never_shown() -> None:
    assert "secret-of-all" not in repr(ContactKeys(b"secret-of-all"))


def test_an_event_that_the_client_cannot_read_says_so() -> None:
    with pytest.raises(UnreadableEvent, match=NOT_UTF8):
        received_event(replace(EVENT, unreadable=NOT_UTF8))


@pytest.mark.parametrize("topic", [CONTACTS, ARTICLES, STORES])
def test_a_reference_batch_that_cannot_be_read_is_no_tombstone(topic: Topic) -> None:
    """It has neither key nor value, and deletes nothing."""
    lost = Record(topic.name, 3, 9, AT, None, None, unreadable="The batch is lost.", first_offset=2)
    with pytest.raises(Invalid, match="The batch is lost"):
        reference_document(lost, ContactKeys(b"secret"), "topic-1")


def test_a_contact_is_read_whatever_its_headers_are() -> None:
    sent = reference_record(CONTACTS.name, "c-1", json.dumps(contact_body("c-1")).encode())
    keys = ContactKeys(b"secret")
    read = reference_document(replace(sent, unreadable=NOT_UTF8), keys, "topic-1")
    assert read == reference_document(sent, keys, "topic-1")


@pytest.mark.parametrize(
    ("document", "into", "name"),
    [
        ({"keys": [], "contactType": "Member"}, None, "type:Member"),
        ({"keys": []}, None, "any"),
        ({"keys": [], "contactType": "Member"}, "hash", "into:hash"),
        ({"deletedAt": AT}, None, None),
        ({"deletedAt": AT}, "hash", None),
    ],
)
def test_contacts_of_a_class_fit_the_same_orders(
    document: Json, into: str | None, name: str | None
) -> None:
    """By their type or, merged, by the contact that they count as; a tombstone fits none."""
    assert match_class(document, into) == name
    assert is_merged_class(name) == (into is not None and name is not None)
