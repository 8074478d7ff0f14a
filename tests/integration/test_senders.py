"""What real senders send, through all of the system: over HTTP, Kafka and the reference topics."""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from enricher import metrics
from order_runtime.mongo.client import client
from support.builders.bodies import Json, line, order_body, unique
from support.builders.raw_records import RawRecord
from support.harness.enricher_harness import EnricherHarness, contact_record
from support.stack.api_client import ApiClient
from support.stack.kafka_records import publish_records
from support.stack.running_stack import RunningStack
from support.stack.wait import until

RESIDUE = 49.989999999999995


@pytest.fixture
def api(stack: RunningStack) -> ApiClient:
    return ApiClient(stack)


def changed(api: ApiClient, order_id: str, body: Json) -> Json:
    path = f"{api.base}/orders/{order_id}/change-status"
    answer = api.client.post(path, json=body, headers={"prefer": "wait=20"})
    assert answer.status_code == 200, answer.text
    job: Json = answer.json()
    return job


def test_a_shop_sends_nulls_residue_and_times_of_its_own(api: ApiClient) -> None:
    body = order_body(
        createdAt="2025-10-26T02:30:00.1234567890Z",
        lastChangedAt="2016-12-31T23:59:60Z",
        shippingAddress={"street": "1 High St", "company": None},
        lineItems={"items": [line(unitPrice=RESIDUE), line(type="Return", quantity=-1)]},
    )
    job = api.stored(api.registered(body))
    rounded = [it["reference"] for it in job["warnings"] if it["code"] == "Rounded"]
    assert rounded == ["/lineItems/items/0/unitPrice"]
    order = api.order(body["orderId"]).json()
    assert order["shippingAddress"] == {"street": "1 High St"}
    assert order["createdAt"] == "2025-10-26T02:30:00.123Z"
    assert [it["quantity"] for it in order["lineItems"]["items"]][-1] == 1
    assert order["lineItems"]["items"][0]["unitPrice"] == 49.99


def test_of_two_changes_within_a_millisecond_the_first_stays(api: ApiClient) -> None:
    """And what GET gave may be PUT."""
    body = order_body()
    api.stored(api.registered(body))
    first = {"externalStatus": "delivered", "lastChangedAt": "2025-11-28T10:00:00.123900Z"}
    second = {"externalStatus": "picking", "lastChangedAt": "2025-11-28T10:00:00.123100Z"}
    changed(api, body["orderId"], first)
    stale = changed(api, body["orderId"], second | {"status": "InProgress"})
    assert [it["code"] for it in stale["warnings"]] == ["StaleChange"]
    order = api.order(body["orderId"]).json()
    assert order | first == order
    path = f"{api.base}/orders/{body['orderId']}"
    put = api.client.put(path, json=order, headers={"prefer": "wait=20"})
    assert "warnings" not in put.json() or put.json()["warnings"] == []


def test_a_bulk_from_windows_is_read_row_by_row(api: ApiClient) -> None:
    bodies = [order_body(), order_body(lineItems={"items": [line(unitPrice=RESIDUE)]})]
    content = BOM_UTF8 + b"".join(json.dumps(it).encode() + b"\r\n\r\n" for it in bodies)
    headers = {"content-type": "application/x-ndjson"}
    answer = api.client.post(f"{api.base}/orders/bulk", content=content, headers=headers)
    assert answer.status_code == 202, answer.text
    jobs = [api.stored(row["jobId"]) for row in answer.json()["rows"]]
    codes = [
        [it["code"] for it in job.get("warnings", ()) if it["code"] == "Rounded"] for job in jobs
    ]
    assert codes == [[], ["Rounded"]]


def test_a_key_of_blanks_is_refused(api: ApiClient) -> None:
    body = order_body(contact={"matchKey": " \u200b", "matchKeyType": "Email"})
    assert [it["pointer"] for it in api.post(body).json()["errors"]] == ["/contact/matchKey"]


def test_an_outbox_connector_writes_structured_mode(stack: RunningStack, api: ApiClient) -> None:
    body, job_id = order_body(), str(uuid4())
    event = {"specversion": "1.0", "id": job_id, "source": "/outbox", "type": "RegisterOrder.v1"}
    value = json.dumps(event | {"data": body}).encode()
    headers = {"content-type": "application/cloudevents+json", "ce_id": "ignored"}
    publish_records(stack.kafka, [RawRecord(body["orderId"], value, headers)])
    assert until(lambda: api.job(job_id).status_code == 200, seconds=30, of=job_id)
    assert api.order(body["orderId"]).status_code == 200


def test_an_emptied_email_belongs_to_its_next_owner(stack: RunningStack, api: ApiClient) -> None:
    first, second, email = unique("c"), unique("c"), f"{unique('shared')}@example.com"
    records = [
        {"contactId": first, "email": email, "memberNumber": f"M-{first}"},
        {"contactId": first, "email": "", "memberNumber": f"M-{first}"},
        {"contactId": second, "email": email},
    ]
    raw = [RawRecord(it["contactId"], json.dumps(it).encode(), {}) for it in records]
    publish_records(stack.kafka, raw, topic="reference.contacts")
    with client(stack.mongo, "test") as connected:  # the order is to find them as they end
        contacts = connected[stack.database]["contacts"]
        owners = {"$or": [{"contactId": first, "email": None}, {"contactId": second}]}
        assert until(lambda: contacts.count_documents(owners) == 2, of=email)
    by_email = order_body(contact={"matchKey": email, "matchKeyType": "Email"})
    by_number = order_body(contact={"matchKey": f"M-{first}", "matchKeyType": "MemberNumber"})
    for body, owner in ((by_email, second), (by_number, first)):
        api.registered(body)
        order_id = body["orderId"]

        def owned(order_id: str = order_id, owner: str = owner) -> bool:
            return bool(api.order(order_id).json().get("contactId") == owner)

        assert until(owned, seconds=60, of=order_id)


async def test_a_field_that_is_passed_over_is_counted_and_named(harness: EnricherHarness) -> None:
    """The log names record and field, never the value."""
    labels = ("reference.contacts", "cardId", "invalid")
    before = metrics.FIELD_FAULTS.labels(*labels)._value.get()  # noqa: SLF001
    with capture_logs() as logged:
        await harness.add_references(contact_record("c-9", email="", cardId="k" * 300))
    (entry,) = [it for it in logged if it["event"] == "reference fields passed over"]
    assert entry["record"] == "c-9"
    assert entry["fields"] == {"email": "empty", "cardId": "invalid"}
    assert "kkk" not in str(entry)
    assert metrics.FIELD_FAULTS.labels(*labels)._value.get() == before + 1  # noqa: SLF001
