"""An order that is deleted and registered again: its first life touches nothing of the second."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

from confluent_kafka import Message

from support.builders.bodies import contact_body, matching, order_body
from support.builders.raw_records import RawRecord, delete_record, register_record
from support.stack.api_client import ApiClient
from support.stack.consumer_groups import lag
from support.stack.kafka_records import header, messages_of_order, publish_records, read_all
from support.stack.running_stack import RunningStack, paused
from support.stack.wait import until


def test_a_late_event_of_the_first_life_touches_nothing_of_the_second(
    stack: RunningStack, tmp_path: Path
) -> None:
    """
    Register, delete, register with another contact; then the first life's event comes once more.
    """
    api, (ann, bob) = ApiClient(stack), (contact_body(), contact_body())
    file = tmp_path / "contacts.ndjson"
    file.write_text(f"{json.dumps(ann)}\n{json.dumps(bob)}\n")
    stack.orders("reference", "load", "--wait", str(file))
    first = order_body(contact=matching(ann))
    second = first | {"contact": matching(bob)}
    api.settled(api.registered(first))
    gone = str(uuid4())
    publish_records(stack.kafka, [delete_record(first["orderId"], gone)])
    api.settled(gone)
    job_id = api.registered(second)
    api.settled(job_id)
    before = api.order(first["orderId"]).json(), api.job(job_id).json()
    assert before[0]["contactId"] == bob["contactId"]

    events = messages_of_order(read_all(stack.kafka, "orders.events"), first["orderId"])
    publish_records(stack.kafka, [again(event) for event in events[:2]], topic="orders.events")
    enriched_past(stack)

    assert (api.order(first["orderId"]).json(), api.job(job_id).json()) == before
    assert api.order(first["orderId"], contactId=ann["contactId"]).status_code == 404
    assert api.order(first["orderId"], contactId=bob["contactId"]).status_code == 200


def again(event: Message) -> RawRecord:
    assert header(event, "ce_type") in {"OrderRegistered.v1", "OrderDeleted.v1"}
    return RawRecord(event.key(), event.value(), dict(event.headers() or ()))


def enriched_past(stack: RunningStack) -> None:
    """Wait until the enricher has handled everything that is on orders.events now."""
    until(lambda: lag(stack.kafka, "enricher", "orders.events") == 0, of="the enricher")


def test_an_action_of_a_deleted_order_never_reaches_the_next_one(
    stack: RunningStack, tmp_path: Path
) -> None:
    """
    Register with an action, delete, register for another contact, all in one batch of the writer.
    """
    api, (ann, bob) = ApiClient(stack), (contact_body(), contact_body())
    file = tmp_path / "contacts.ndjson"
    file.write_text(f"{json.dumps(ann)}\n{json.dumps(bob)}\n")
    stack.orders("reference", "load", "--wait", str(file))
    first = order_body(contact=matching(ann), orderAction={"action": "ConfirmOrder"})
    second = order_body(first["orderId"], contact=matching(bob))
    jobs = [str(uuid4()) for _ in range(3)]

    with paused(stack, "order-writer"):
        gone = delete_record(first["orderId"], jobs[1])
        publish_records(
            stack.kafka, [register_record(first, jobs[0]), gone, register_record(second, jobs[2])]
        )

    assert api.settled(jobs[0])["stages"]["action"] == "dropped"
    assert api.settled(jobs[2])["stages"]["action"] == "none"
