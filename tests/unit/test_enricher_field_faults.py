"""One bad or empty field of reference data costs itself alone, and says so."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from enricher.domain.contact_matching import ContactKeys
from enricher.domain.references import FIELD_FAULTS, reference_document, taken_faults
from order_contracts.decoding import Invalid
from order_contracts.order import ContactKey, MatchKeyType
from order_contracts.reference import Contact, read_reference
from order_contracts.topics import ARTICLES, CONTACTS, STORES
from order_operations.reference.reference_load import parse_entry
from order_runtime.documents.document import Document
from order_runtime.documents.erasures import id_key
from support.builders.bodies import Json
from support.builders.writer_fixtures import reference_record

KEYS = ContactKeys(b"secret", "SE")
PLAIN: Json = {"contactId": "c-a", "memberNumber": "A-1"}


def document_of(body: Json, topic: str = CONTACTS.name, key: str = "c-a") -> Document:
    record = reference_record(topic, key, json.dumps(body).encode())
    return reference_document(record, KEYS, "topic")


def test_a_contact_whose_email_is_emptied_loses_that_key() -> None:
    before = document_of(PLAIN | {"email": "shared@example.com"})
    after = document_of(PLAIN | {"email": ""})
    assert before["keys"] == ["ContactId:c-a", "Email:shared@example.com", "MemberNumber:A-1"]
    assert after["keys"] == ["ContactId:c-a", "MemberNumber:A-1"]
    assert taken_faults(after) == {"email": "empty"}
    assert FIELD_FAULTS not in after


@pytest.mark.parametrize(
    ("field", "given", "reason"),
    [
        ("email", "", "empty"),
        ("email", " \u00a0", "empty"),
        ("email", "\u200b\ufeff", "empty"),
        ("email", 5, "invalid"),
        ("email", ["a@b.se"], "invalid"),
        ("mobilePhone", "0" * 256, "invalid"),
        ("memberNumber", 1234, "invalid"),
        ("cardId", {"a": {"b": 1}}, "invalid"),
        ("language", "swedish!", "invalid"),
        ("language", "", "empty"),
        ("contactType", "", "empty"),
        ("mergedInto", " ", "empty"),
        ("mergedInto", 7, "invalid"),
    ],
)
def test_a_field_at_fault_costs_itself_alone(field: str, given: Any, reason: str) -> None:
    found = document_of({"contactId": "c-a", "externalId": "x-1", field: given})
    assert found["keys"] == ["ContactId:c-a", "ExternalId:x-1"]
    assert taken_faults(found) == {field: reason}


def test_several_fields_at_fault_are_all_told() -> None:
    found = document_of(PLAIN | {"email": "", "cardId": 1, "language": "?"})
    assert taken_faults(found) == {"email": "empty", "cardId": "invalid", "language": "invalid"}


@pytest.mark.parametrize(
    ("topic", "body", "key", "faults"),
    [
        (ARTICLES.name, {"sku": "s", "articleNumber": "", "name": "n"}, "s", "articleNumber"),
        (ARTICLES.name, {"sku": "s", "name": 5}, "s", "name"),
        (STORES.name, {"externalStoreId": "t", "name": {}}, "t", "name"),
    ],
)
def test_articles_and_stores_alike(topic: str, body: Json, key: str, faults: str) -> None:
    found = document_of(body, topic, key)
    assert (found["_id"], set(taken_faults(found))) == (key, {faults})


def test_null_is_absent_without_a_word() -> None:
    assert FIELD_FAULTS not in document_of(PLAIN | {"email": None, "shoeSize": ""})


@pytest.mark.parametrize(
    "body",
    [
        {"email": "a@b.se"},
        {"contactId": "", "email": "a@b.se"},
        {"contactId": " \u200b"},
        {"contactId": 1, "email": ""},
        [],
        None,
    ],
)
def test_a_record_without_its_id_is_passed_over(body: Any) -> None:
    with pytest.raises(Invalid):
        read_reference(Contact, body)


def test_a_language_with_underscores_is_a_tag() -> None:
    assert document_of(PLAIN | {"language": "sv_SE"})["language"] == "sv-SE"


@pytest.mark.parametrize("spelt", [" M-1", "M-1\u00a0", "\u200bM-1\ufeff", "\t\u200eM-1\r\n"])
def test_both_sides_trim_the_same(spelt: str) -> None:
    contact = Contact(contact_id="c-1", member_number=spelt)
    order = ContactKey(match_key="M-1", match_key_type=MatchKeyType.MEMBER_NUMBER)
    again = ContactKey(match_key=spelt, match_key_type=MatchKeyType.MEMBER_NUMBER)
    assert KEYS.all_of(contact)[1] == KEYS.lookup_key(order) == KEYS.lookup_key(again)
    by_id = ContactKey(match_key=spelt, match_key_type=MatchKeyType.CONTACT_ID)
    assert id_key(spelt) == KEYS.lookup_key(by_id) == "ContactId:M-1"


def test_a_reference_record_may_be_an_event_in_structured_mode() -> None:
    event = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "Contact.v1", "data": PLAIN}
    record = reference_record(CONTACTS.name, "c-a", json.dumps(event).encode())
    for headers in ((), (("content-type", b"application/cloudevents+json"), ("ce_id", b"\xff"))):
        found = reference_document(replace(record, headers=headers), KEYS, "topic")
        assert found["keys"] == ["ContactId:c-a", "MemberNumber:A-1"]
    empty = json.dumps(event | {"data": None}).encode()
    with pytest.raises(Invalid):
        reference_document(replace(record, value=empty), KEYS, "topic")


def test_a_file_may_hold_fields_at_fault_which_the_enricher_reports() -> None:
    raw = json.dumps(PLAIN | {"email": ""}).encode()
    assert parse_entry(raw).value == raw
    assert parse_entry(json.dumps(PLAIN).encode()).key == "c-a"
