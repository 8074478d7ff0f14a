"""What a broker accepts and no client can read stops nothing, in any service; its place is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from confluent_kafka import Message

from order_contracts.topics import ACTIONS, COMMANDS, CONTACTS, ENRICHER, EVENTS, TRIGGER, WRITER
from order_runtime.kafka.partitioning import partition_of
from support.builders.bodies import Json, contact_body, matching, order_body, unique
from support.builders.raw_records import RawRecord
from support.builders.stored_batches import StoredBytes, batch_bytes, bomb, many_headers
from support.stack.api_client import ApiClient, job_of_response
from support.stack.kafka_records import header, publish_records, read_all
from support.stack.running_stack import RunningStack, running_stack
from support.stack.stored_batches import publish_as_sent
from support.stack.wait import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

READ_BY_SERVICES = (COMMANDS.name, EVENTS.name, ACTIONS.name, CONTACTS.name)
BAD_NAME = StoredBytes(b"bad-name", b"{}", [(b"ce_id", b"x"), (b"na\xffme", b"y")])
SMALL = StoredBytes(b"secret-key", b"{}")
CONTACT_ID, ORDER_ID = unique("behind"), unique("behind")


@cache
def unreadable_batches() -> Mapping[str, bytes]:
    """Return the batches that stop a client as it comes, none larger than a megabyte."""
    inflating = [SMALL, StoredBytes(b"secret-key", bytes(150 << 20)), SMALL]
    return {
        "name": batch_bytes([BAD_NAME], at=None),
        "headers": batch_bytes([many_headers(700_000)], "zstd", at=None),
        "zstd": batch_bytes(inflating, "zstd", at=None),
        "gzip": bomb("gzip", 150, at=None),
    }


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A stack of its own, since whoever else reads these topics may stumble."""
    with running_stack(tmp_path_factory.mktemp("orders-home")) as started:
        yield started


@pytest.fixture(scope="module")
def places(own: RunningStack) -> Mapping[tuple[str, str], tuple[int, int]]:
    """
    Publish each batch where the order or its contact will come behind it.

    Return partition and first offset of each, by topic and name.
    """
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for name, batch in unreadable_batches().items():
        for topic in READ_BY_SERVICES:
            key = CONTACT_ID if topic == CONTACTS.name else ORDER_ID
            partition = partition_of(key.encode(), 12)
            found[topic, name] = partition, publish_as_sent(own.kafka, topic, partition, batch)
    return found


@pytest.fixture(scope="module")
def job(own: RunningStack, places: Mapping[tuple[str, str], tuple[int, int]]) -> Json:
    """The job of an order whose contact, commands, event and action come behind the batches."""
    assert len(places) == len(READ_BY_SERVICES) * len(unreadable_batches())
    contact = contact_body(CONTACT_ID)
    sent = RawRecord(CONTACT_ID, json.dumps(contact).encode(), {})
    publish_records(own.kafka, [sent], topic=CONTACTS.name)
    api = ApiClient(own)
    action = {"action": "ConfirmOrder"}
    body = order_body(ORDER_ID, contact=matching(contact), orderAction=action)
    return api.settled(api.registered(body), seconds=120)


def letters(own: RunningStack, topic: str, count: int) -> dict[int, Message]:
    """Wait for dead letters of *topic*; return them by the offset that they name."""

    def look() -> dict[int, Message] | None:
        found = read_all(own.kafka, f"{topic}.dlq")
        by_offset = {int(told(it, "offset") or -1): it for it in found}
        return by_offset if len(by_offset) >= count else None

    found: dict[int, Message] = until(look, of=f"{count} dead letters of {topic}")
    return found


def told(letter: Message, name: str) -> str | None:
    return header(letter, f"__connect.errors.{name}")


def most_memory(own: RunningStack, service: str) -> int:
    """Return the megabytes that a service had at most."""
    status = Path(f"/proc/{own.pid(service)}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) // 1024


def test_what_comes_behind_is_served_by_every_service(job: Json) -> None:
    """Stored by the writer, enriched with the contact, delivered by the action-trigger."""
    assert job["status"] == "Completed"
    assert job["stages"] == {"storage": "done", "enrichment": "done", "action": "delivered"}


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("topic", [COMMANDS.name, EVENTS.name, ACTIONS.name])
def test_each_ends_as_one_dead_letter_that_names_its_place(
    own: RunningStack,
    places: Mapping[tuple[str, str], tuple[int, int]],
    topic: str,
) -> None:
    names = unreadable_batches()
    found = letters(own, topic, len(names))
    by_name = {name: found[places[topic, name][1]] for name in names}

    assert len(found) == len(names)
    first = places[topic, "zstd"][1]
    bounds = [int(told(by_name["zstd"], name) or -1) for name in ("offset", "last.offset")]
    assert bounds == [first, first + 2]
    assert (by_name["zstd"].key(), by_name["zstd"].value()) == (None, None)
    assert by_name["name"].value() == b"{}"
    assert "not UTF-8" in (told(by_name["name"], "exception.message") or "")
    for letter in by_name.values():
        assert b"secret" not in repr(letter.headers()).encode()
        assert len(letter.value() or b"") < 100


@pytest.mark.usefixtures("job")
def test_a_command_that_cannot_be_read_has_a_failed_job(
    own: RunningStack, places: Mapping[tuple[str, str], tuple[int, int]]
) -> None:
    """One a batch, under an id that is derived from its place."""
    names = unreadable_batches()
    found = letters(own, COMMANDS.name, len(names))
    api = ApiClient(own)
    for name in ("name", "headers", "zstd"):
        letter = found[places[COMMANDS.name, name][1]]
        answer = api.job(told(letter, "job.id") or "")
        failed = job_of_response(answer)
        assert failed is not None
        assert (answer.status_code, failed["errors"][0]["code"]) == (400, "ValidationFailed")


@pytest.mark.usefixtures("job")
def test_an_operator_lists_dead_letters_though_a_batch_among_them_cannot_be_read(
    own: RunningStack,
) -> None:
    expected = len(unreadable_batches())
    letters(own, COMMANDS.name, expected)
    publish_as_sent(own.kafka, f"{COMMANDS.name}.dlq", 0, unreadable_batches()["zstd"])
    listed = json.loads(own.orders("dlq", "list", "--topic", COMMANDS.name, "--json").stdout)
    assert len(listed) == expected


@pytest.fixture(scope="module")
def flooded(own: RunningStack, job: Json) -> Json:
    """
    The job of an order that comes behind many batches which inflate, each within bounds.

    1.2 GB in 100 KB. Not on `orders.commands`: librdkafka inflates all of a response at once.
    """
    contact = batch_bytes([StoredBytes(b"c", bytes(1_000_000))] * 20, "zstd", at=None)
    message = batch_bytes([StoredBytes(b"o", bytes(4_000_000))] * 7, "zstd", at=None)
    at_contact, at_order = (partition_of(key.encode(), 12) for key in (CONTACT_ID, ORDER_ID))
    for _ in range(40):
        publish_as_sent(own.kafka, CONTACTS.name, at_contact, contact)
    for topic in (EVENTS.name, ACTIONS.name) * 6:
        publish_as_sent(own.kafka, topic, at_order, message)
    api, action = ApiClient(own), {"action": "ConfirmShipment"}
    matched = matching(contact_body(CONTACT_ID))
    body = order_body(ORDER_ID, contact=matched, orderAction=action, status="Completed")
    put = api.client.put(f"{api.base}/orders/{ORDER_ID}", json=body)
    assert put.status_code == 202, put.text
    assert job["orderId"] == ORDER_ID
    return api.settled(put.json()["jobId"], seconds=120)


def test_many_batches_that_inflate_stop_nothing(flooded: Json) -> None:
    assert flooded["stages"] == {"storage": "done", "enrichment": "done", "action": "delivered"}


@pytest.mark.usefixtures("flooded")
@pytest.mark.parametrize("service", [WRITER, ENRICHER, TRIGGER])
def test_no_service_takes_more_than_400_mb(own: RunningStack, service: str) -> None:
    print(f"{service}: {most_memory(own, service)} MB at most")
    assert most_memory(own, service) < 400
