"""A contact is erased on the real system: at rest, under way, read again, and what can't be."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaException
from pymongo import MongoClient
from pymongo.database import Database

from order_contracts.topics import ACTIONS, COMMANDS, CONTACTS, ENRICHER, EVENTS, TRIGGER, WRITER
from order_operations.pii_scan import leaks, pattern
from support.builders.bodies import Json, contact_body, matching, order_body, unique
from support.stack.consumer_groups import end_offsets, lag, set_offsets
from support.stack.kafka_records import RawRecord, delete_record, publish_records, register_record
from support.stack.running_stack import RunningStack, running_stack
from support.stack.wait import until
from support.stack.webhook_receiver import received_webhooks

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

SECONDS = 180.0
READ = {WRITER: [COMMANDS], ENRICHER: [EVENTS, CONTACTS], TRIGGER: [ACTIONS]}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of its own, since its offsets are set back."""
    with running_stack(tmp_path_factory.mktemp("orders-home"), seconds=300) as started:
        yield started


@pytest.fixture
def database(own: RunningStack) -> Iterator[Database[Any]]:
    with MongoClient[dict[str, Any]](own.mongo) as client:
        yield client[own.database]


def test_nothing_is_left_of_an_erased_contact_nor_comes_back(
    own: RunningStack, database: Database[Any], tmp_path: Path
) -> None:
    ann, bob = person(), person()
    load(own, tmp_path, ann, bob)
    linked, waiting, gone, reused, late = (unique("order") for _ in range(5))
    of_type = {**matching(ann, "Email"), "contactType": "B2B"}
    publish_records(
        own.kafka,
        [
            order(linked, matching(ann, "Email"), ann),
            order(waiting, of_type, ann),
            order(gone, matching(ann), ann),
            delete_record(gone),
            order(reused, matching(ann), ann),
            delete_record(reused),
            order(reused, matching(bob), bob),
            # A person's own words in what can't be read end in a dead letter.
            RawRecord(
                unique("order"), json.dumps({"mail": ann["email"]}).encode(), {"ce_type": "?"}
            ),
        ],
    )
    idle(own)
    known = exported(own, ann["contactId"])
    assert {it["_id"] for it in known["orders"]} == {linked, waiting}
    assert {it["orderId"] for it in known["deliveries"]} >= {linked}
    own.kill("action-trigger", "TERM")
    publish_records(own.kafka, [order(late, matching(ann), ann)])
    until(lambda: lag(own.kafka, ENRICHER, EVENTS.name) == 0, seconds=SECONDS)
    until(lambda: lag(own.kafka, TRIGGER, ACTIONS.name) > 0, seconds=SECONDS)
    own.kill("enricher", "TERM")

    erasing = erase(own, ann["contactId"])
    until(lambda: lag(own.kafka, ENRICHER, CONTACTS.name) > 0, seconds=SECONDS)
    own.start("enricher")
    until(
        lambda: "deletedAt" in (database["orders"].find_one({"_id": late}) or {}), seconds=SECONDS
    )
    own.start("action-trigger")

    report = ended(erasing)
    assert report["left"] == []
    assert [it.split("/")[0] for it in report["letters"]] == ["orders.commands.dlq"]
    assert not [it for it in received_webhooks(own.receiver) if late in json.dumps(it)]
    assert "order" in (database["orders"].find_one({"_id": reused}) or {})
    read_again(own)
    assert list(leaks(database, pattern(identifiers(ann)))) == []
    assert "order" in (database["orders"].find_one({"_id": reused}) or {})


def test_a_leak_is_found(own: RunningStack, database: Database[Any], tmp_path: Path) -> None:
    ann = person()
    load(own, tmp_path, ann)
    publish_records(own.kafka, [order(unique("order"), matching(ann), ann)])
    idle(own)
    database["jobs"].insert_one({"_id": "planted", "deep": [{"note": f"to {ann['email']}!"}]})

    found = erase(own, ann["contactId"])

    assert ended(found, status=1)["left"] == ["jobs planted"]
    database["jobs"].delete_one({"_id": "planted"})


def test_an_order_on_its_way_to_another_contact_stays(
    own: RunningStack, database: Database[Any], tmp_path: Path
) -> None:
    """The replacement is accepted, and not applied, when the contact it leaves is erased."""
    ann, bob = person(), person()
    load(own, tmp_path, ann, bob)
    moving = unique("order")
    publish_records(own.kafka, [order(moving, matching(ann), ann)])
    idle(own)
    own.kill("order-writer", "TERM")
    before = end_of(own, COMMANDS.name)
    publish_records(
        own.kafka, [order(moving, matching(bob), bob).with_headers({"ce_type": "ReplaceOrder.v1"})]
    )

    erasing = erase(own, ann["contactId"])
    until(lambda: end_of(own, COMMANDS.name) == before + 2, seconds=SECONDS, of="a deletion")
    own.start("order-writer")

    assert ended(erasing)["left"] == []
    found = database["orders"].find_one({"_id": moving}) or {}
    assert found["order"]["contact"]["matchKey"] == bob["contactId"]
    assert (database["links"].find_one({"_id": moving}) or {})["contactId"] == bob["contactId"]


def end_of(own: RunningStack, topic: str) -> int:
    """Return how many records there ever were."""
    return sum(end_offsets(own, topic).values())


def person() -> Json:
    name = unique("ann")
    return contact_body(email=f"{name}@example.com", memberNumber=unique("member"))


def identifiers(contact: Json) -> set[str]:
    return {contact[name] for name in ("contactId", "email", "memberNumber")}


def order(order_id: str, contact: Json, of: Json) -> RawRecord:
    """Return a registration whose action says in its data whom it is for."""
    action = {"action": "Custom", "data": {"to": of["email"], "member": of["memberNumber"]}}
    address = {"street": of["email"]}
    body = order_body(order_id, contact=contact, orderAction=action, billingAddress=address)
    return register_record(body)


def load(own: RunningStack, folder: Path, *contacts: Json) -> None:
    file = folder / "contacts.ndjson"
    file.write_text("\n".join(map(json.dumps, contacts)))
    own.orders("reference", "load", str(file))


def exported(own: RunningStack, contact_id: str) -> Json:
    found: Json = json.loads(own.orders("privacy", "export", contact_id).stdout)
    return found


def erase(own: RunningStack, contact_id: str) -> subprocess.Popen[str]:
    """Begin to erase; whom, the command reads from its standard input."""
    argv = own.command.argv("privacy", "erase", "-", "--json", "--timeout", str(SECONDS))
    pipe = subprocess.PIPE
    asked = subprocess.Popen(
        argv, env=own.command.environ(), stdin=pipe, stdout=pipe, stderr=pipe, text=True
    )
    assert asked.stdin is not None
    asked.stdin.write(f"{contact_id}\n")
    asked.stdin.flush()
    return asked


def ended(asked: subprocess.Popen[str], status: int = 0) -> Json:
    said, problem = asked.communicate(timeout=2 * SECONDS)
    assert asked.returncode == status, problem
    report: Json = json.loads(said)
    return report


def idle(own: RunningStack) -> None:
    """Wait until everything that was published has been handled, and what came of it too."""
    for _ in range(2):
        for group, topics in READ.items():
            for topic in topics:
                until(lambda: lag(own.kafka, group, topic.name) == 0, seconds=SECONDS, of=group)  # noqa: B023
    with MongoClient[dict[str, Any]](own.mongo) as client:
        pending = {"state": "pending"}
        deliveries = client[own.database]["deliveries"]
        until(lambda: deliveries.count_documents(pending) == 0, seconds=SECONDS, of="deliveries")


def read_again(own: RunningStack) -> None:
    """Set all groups back to the start of their topics, and let them read it all once more."""
    for service in READ:
        own.kill(service, "TERM")
    for group, topics in READ.items():
        for topic in topics:
            until(lambda: started_over(own, group, topic.name), seconds=SECONDS, of=group)  # noqa: B023
    for service in READ:
        own.start(service)
    idle(own)


def started_over(own: RunningStack, group: str, topic: str) -> bool:
    """Set a group back; False while Kafka still counts members of it."""
    try:
        set_offsets(own, group, topic, dict.fromkeys(end_offsets(own, topic), 0))
    except KafkaException:
        return False
    return True
