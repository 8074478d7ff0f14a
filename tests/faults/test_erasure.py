"""A contact is erased on the real system: stored data, records in flight, and a full replay."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException
from pymongo import MongoClient
from pymongo.database import Database

from order_contracts.topics import ACTIONS, COMMANDS, CONTACTS, ENRICHER, EVENTS, TRIGGER, WRITER
from order_operations.privacy.pii_scan import leaks, pattern
from support.builders.bodies import Json, contact_body, matching, order_body, unique
from support.builders.raw_records import RawRecord, delete_record, register_record
from support.stack.consumer_groups import end_offsets, lag, set_offsets
from support.stack.kafka_records import publish_records
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until
from support.stack.webhook_receiver import received_webhooks

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

SECONDS = 180.0
READ = {WRITER: [COMMANDS], ENRICHER: [EVENTS, CONTACTS], TRIGGER: [ACTIONS]}


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of its own, since the offsets of its groups are reset."""
    with running_stack(tmp_path_factory.mktemp("orders-home"), seconds=300) as started:
        yield started


@pytest.fixture
def database(own_stack: RunningStack) -> Iterator[Database[Any]]:
    with MongoClient[dict[str, Any]](own_stack.mongo) as client:
        yield client[own_stack.database]


def test_nothing_is_left_of_an_erased_contact_nor_comes_back(
    own_stack: RunningStack, database: Database[Any], tmp_path: Path
) -> None:
    ann, bob = person(), person()
    load(own_stack, tmp_path, ann, bob)
    linked, waiting, gone, reused, late = (unique("order") for _ in range(5))
    of_type = {**matching(ann, "Email"), "contactType": "B2B"}
    publish_records(
        own_stack.kafka,
        [
            order(linked, matching(ann, "Email"), ann),
            order(waiting, of_type, ann),
            order(gone, matching(ann), ann),
            delete_record(gone),
            order(reused, matching(ann), ann),
            delete_record(reused),
            order(reused, matching(bob), bob),
            # Personal data in a record that can't be decoded ends up in a dead letter.
            RawRecord(
                unique("order"), json.dumps({"mail": ann["email"]}).encode(), {"ce_type": "?"}
            ),
        ],
    )
    wait_until_idle(own_stack)
    known = exported(own_stack, ann["contactId"])
    assert {it["_id"] for it in known["orders"]} == {linked, waiting}
    assert {it["orderId"] for it in known["deliveries"]} >= {linked}
    own_stack.kill("action-trigger", "TERM")
    publish_records(own_stack.kafka, [order(late, matching(ann), ann)])
    until(lambda: lag(own_stack.kafka, ENRICHER, EVENTS.name) == 0, seconds=SECONDS)
    until(lambda: lag(own_stack.kafka, TRIGGER, ACTIONS.name) > 0, seconds=SECONDS)
    own_stack.kill("enricher", "TERM")

    erasing = erase(own_stack, ann["contactId"])
    until(lambda: lag(own_stack.kafka, ENRICHER, CONTACTS.name) > 0, seconds=SECONDS)
    own_stack.start("enricher")
    until(
        lambda: "deletedAt" in (database["orders"].find_one({"_id": late}) or {}), seconds=SECONDS
    )
    own_stack.start("action-trigger")

    report = report_of(erasing)
    assert report["left"] == []
    assert [it.split("/")[0] for it in report["letters"]] == ["orders.commands.dlq"]
    assert not [it for it in received_webhooks(own_stack.receiver) if late in json.dumps(it)]
    assert "order" in (database["orders"].find_one({"_id": reused}) or {})
    reset_all_groups(own_stack)
    assert list(leaks(database, pattern(identifiers(ann)))) == []
    assert "order" in (database["orders"].find_one({"_id": reused}) or {})


def test_a_leak_is_found(own_stack: RunningStack, database: Database[Any], tmp_path: Path) -> None:
    ann = person()
    load(own_stack, tmp_path, ann)
    publish_records(own_stack.kafka, [order(unique("order"), matching(ann), ann)])
    wait_until_idle(own_stack)
    database["jobs"].insert_one({"_id": "planted", "deep": [{"note": f"to {ann['email']}!"}]})

    found = erase(own_stack, ann["contactId"])

    assert report_of(found, status=1)["left"] == ["jobs planted"]
    database["jobs"].delete_one({"_id": "planted"})


def test_an_order_on_its_way_to_another_contact_stays(
    own_stack: RunningStack, database: Database[Any], tmp_path: Path
) -> None:
    """The replacement is in the log but not applied when the order's old contact is erased."""
    ann, bob = person(), person()
    load(own_stack, tmp_path, ann, bob)
    moving = unique("order")
    publish_records(own_stack.kafka, [order(moving, matching(ann), ann)])
    wait_until_idle(own_stack)
    own_stack.kill("order-writer", "TERM")
    before = record_count(own_stack, COMMANDS.name)
    publish_records(
        own_stack.kafka,
        [order(moving, matching(bob), bob).with_headers({"ce_type": "ReplaceOrder.v1"})],
    )

    erasing = erase(own_stack, ann["contactId"])
    until(
        lambda: record_count(own_stack, COMMANDS.name) == before + 2,
        seconds=SECONDS,
        of="a deletion",
    )
    own_stack.start("order-writer")

    assert report_of(erasing)["left"] == []
    found = database["orders"].find_one({"_id": moving}) or {}
    assert found["order"]["contact"]["matchKey"] == bob["contactId"]
    assert (database["links"].find_one({"_id": moving}) or {})["contactId"] == bob["contactId"]


def record_count(own_stack: RunningStack, topic: str) -> int:
    """Return the sum of the partitions' end offsets."""
    return sum(end_offsets(own_stack, topic).values())


def person() -> Json:
    name = unique("ann")
    return contact_body(email=f"{name}@example.com", memberNumber=unique("member"))


def identifiers(contact: Json) -> set[str]:
    return {contact[name] for name in ("contactId", "email", "memberNumber")}


def order(order_id: str, contact: Json, of: Json) -> RawRecord:
    """Return a registration whose action and address contain personal data of the contact."""
    action = {"action": "Custom", "data": {"to": of["email"], "member": of["memberNumber"]}}
    address = {"street": of["email"]}
    body = order_body(order_id, contact=contact, orderAction=action, billingAddress=address)
    return register_record(body)


def load(own_stack: RunningStack, folder: Path, *contacts: Json) -> None:
    file = folder / "contacts.ndjson"
    file.write_text("\n".join(map(json.dumps, contacts)))
    own_stack.orders("reference", "load", "--wait", str(file))


def exported(own_stack: RunningStack, contact_id: str) -> Json:
    found: Json = json.loads(own_stack.orders("privacy", "export", contact_id).stdout)
    return found


def erase(own_stack: RunningStack, contact_id: str) -> subprocess.Popen[str]:
    """Start the erasure; the command reads the contact's id from its standard input."""
    argv = own_stack.command.argv("privacy", "erase", "-", "--json", "--timeout", str(SECONDS))
    pipe = subprocess.PIPE
    command = subprocess.Popen(
        argv, env=own_stack.command.environ(), stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    assert command.stdin is not None
    command.stdin.write(f"{contact_id}\n")
    command.stdin.flush()
    return command


def report_of(command: subprocess.Popen[str], status: int = 0) -> Json:
    output, problem = command.communicate(timeout=2 * SECONDS)
    assert command.returncode == status, problem
    report: Json = json.loads(output)
    return report


def wait_until_idle(own_stack: RunningStack) -> None:
    """Wait until all groups have no lag and no delivery is pending."""
    for _ in range(2):
        for group, topics in READ.items():
            for topic in topics:
                read = partial(is_read, own_stack, group, topic.name)
                until(read, seconds=SECONDS, of=group)
    with MongoClient[dict[str, Any]](own_stack.mongo) as client:
        pending = {"state": "pending"}
        deliveries = client[own_stack.database]["deliveries"]
        until(lambda: deliveries.count_documents(pending) == 0, seconds=SECONDS, of="deliveries")


def is_read(own_stack: RunningStack, group: str, topic: str) -> bool:
    return lag(own_stack.kafka, group, topic) == 0


def reset_all_groups(own_stack: RunningStack) -> None:
    """Reset all groups to the beginning of their topics, and wait until they have read them."""
    for service in READ:
        own_stack.kill(service, "TERM")
    for group, topics in READ.items():
        for topic in topics:
            reset = partial(offsets_reset, own_stack, group, topic.name)
            until(reset, seconds=SECONDS, of=group)
    for service in READ:
        own_stack.start(service)
    wait_until_idle(own_stack)


def offsets_reset(own_stack: RunningStack, group: str, topic: str) -> bool:
    """Reset a group's offsets; False while it still has members."""
    try:
        set_offsets(own_stack, group, topic, dict.fromkeys(end_offsets(own_stack, topic), 0))
    except KafkaException:
        return False
    return True
