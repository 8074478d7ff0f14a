"""Every row of the tables in docs/publishing-directly.md, published at once, ends as it says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from confluent_kafka import Message
from pymongo import MongoClient

from order_contracts.topics import COMMANDS, MIB
from order_runtime.auth.command_signatures import CommandSignatures
from order_runtime.auth.job_ids import JobIdSecrets
from order_runtime.kafka.record_conversion import from_confluent
from support.builders.bodies import Json, order_body, unique
from support.builders.publisher_cases import RecordCase, record_cases
from support.builders.raw_records import RawRecord, register_record
from support.stack.api_client import ApiClient, job_of_response
from support.stack.doc_examples import PUBLISHING
from support.stack.gateway_secret import job_secret
from support.stack.kafka_records import (
    header,
    publish_records,
    read_all,
    read_key,
    stored_as_sent,
    value,
)
from support.stack.outcome_queries import dead_letters, log_codes_by_job
from support.stack.running_stack import RunningStack
from support.stack.wait import until

TOLD_BY_THE_WRITER = {"CommandRejected", "IdReused", "Misrouted", "StaleChange", "TotalsMismatch"}


@dataclass(frozen=True, slots=True)
class Row:
    job: str
    says: str
    dead_letter: str
    log: str


def rows() -> dict[str, Row]:
    """Return the rows of the document's tables by their first cell."""
    section = PUBLISHING.read_text().partition("## What becomes of a record")[2]
    lines = re.findall(r"^\| (.*)\|$", section.partition("\n## ")[0], re.MULTILINE)
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    return {first: Row(*rest) for first, *rest in cells if first != "a record that"}


@dataclass(frozen=True, slots=True)
class Ended:
    """What a publisher sees after all of its records were settled."""

    api: ApiClient
    places: Mapping[str, tuple[int, int]]
    cases: Mapping[str, RecordCase]
    events: list[tuple[str | None, Json]]
    letters: Mapping[tuple[int, int], Message]
    log: Mapping[str, set[str]]


@pytest.fixture(scope="module")
def ended(stack: RunningStack) -> Ended:
    """Publish every case, and behind them a good command on each partition; wait for those."""
    api, sent = ApiClient(stack), record_cases()
    behind = {str(uuid4()): partition for partition in range(COMMANDS.partitions)}
    records = [record for case in sent.values() for record in (*case.before, case.record)]
    settings: Any = {"compression.type": "gzip", "message.max.bytes": 4_000_000}
    with stored_as_sent(stack.kafka):
        places = iter(publish_records(stack.kafka, records, **settings))
    at = {name: [next(places) for _ in (*case.before, 0)][-1] for name, case in sent.items()}
    for job_id, partition in behind.items():
        publish_records(stack.kafka, [register_record(order_body(), job_id)], partition=partition)
    assert all(api.stored(job_id)["status"] != "Failed" for job_id in behind)
    events = [(header(it, "ce_type"), value(it)) for it in read_all(stack.kafka, "orders.events")]
    letters = dead_letters(stack, "orders.commands", set(at.values()))
    codes = log_codes_by_job(stack)
    return Ended(api, at, sent, events, {place_of(letter): letter for letter in letters}, codes)


def place_of(letter: Message) -> tuple[int, int]:
    partition, offset = (
        header(letter, f"__connect.errors.{name}") for name in ("partition", "offset")
    )
    return int(partition or -1), int(offset or -1)


def job_of(api: ApiClient, case: RecordCase, row: Row) -> tuple[int, Json, str]:
    """Return the answer's status, the job and all that the answer says."""
    job_id = case.ce_id
    if job_id is None or "derived id" in row.job:
        listed = api.client.get(f"{api.base}/orders/jobs", params={"orderId": str(case.record.key)})
        job_id = listed.json()["items"][0]["jobId"]
        assert UUID(job_id).version == 5
        assert job_id != case.ce_id
    answer = api.job(job_id)
    job = job_of_response(answer)
    assert job is not None, answer.text
    return answer.status_code, job, json.dumps(answer.json(), ensure_ascii=False)


@pytest.mark.parametrize("codec", ["gzip", "lz4", "zstd"])
def test_the_broker_refuses_what_inflates_beyond_the_limit(stack: RunningStack, codec: str) -> None:
    """Nobody has to unpack it then: neither the order-writer nor another reader of the topic."""
    small = register_record(order_body(), str(uuid4()))
    bomb = replace(small, value=b" " * 64 * MIB + (small.value or b""))
    settings: Any = {"compression.type": codec, "message.max.bytes": 100 * MIB}

    with pytest.raises(AssertionError, match=r"MSG_SIZE_TOO_LARGE|UNKNOWN"):
        publish_records(stack.kafka, [bomb], **settings)


def test_every_row_is_published_and_every_case_documented() -> None:
    assert list(rows()) == list(record_cases())


@pytest.mark.parametrize("name", list(rows()))
def test_a_record_ends_as_its_row_says(ended: Ended, name: str) -> None:
    """Its job over HTTP, the event, the dead letter, the integration log."""
    row, case = rows()[name], ended.cases[name]
    status, job, text = job_of(ended.api, case, row)
    kinds = {kind for kind, event in ended.events if event["jobId"] == job["jobId"]}
    failed = re.match(r"Failed (\d+) `(\w+)`", row.job)

    if failed:
        assert (status, job["errors"][0]["code"]) == (int(failed[1]), failed[2])
        assert kinds == {"OrderCommandRejected.v1"}
    else:
        assert job["stages"]["storage"] == "done"
        assert (kinds == {"OrderUnchanged.v1"}) == ("not applied" in row.job)
        assert kinds
    assert row.says in text
    letter = ended.letters.get(ended.places[name])
    assert (letter is not None) == row.dead_letter.startswith("yes")
    if letter is not None:
        kept = "without" not in row.dead_letter
        assert row.says in (header(letter, "__connect.errors.exception.message") or "")
        assert (letter.value() or b"") == ((case.record.value or b"") if kept else b"")
    told = ended.log.get(job["jobId"], set())
    assert told & TOLD_BY_THE_WRITER == set(filter(None, row.log.split(", ")))


def test_the_reason_repeats_nothing_of_the_command(stack: RunningStack) -> None:
    """
    Headers are read in dashboards: personal data stays in the value.
    """
    secret = f"{unique('person')}@example.com"
    body = order_body(contact={"matchKey": secret, "matchKeyType": secret})

    places = publish_records(stack.kafka, [register_record(body)])

    [letter] = until(lambda: dead_letters(stack, "orders.commands", set(places)))
    assert all(secret.encode() not in (value or b"") for _, value in letter.headers() or ())
    assert secret in json.loads(letter.value() or b"")["contact"]["matchKey"]


def test_each_command_over_http_proves_on_the_topic_that_the_gateway_made_it(
    stack: RunningStack,
) -> None:
    """
    As it comes off the broker, so that the order-writer stops where it can't read such a one.
    """
    api, orders = ApiClient(stack), [order_body(unique("Örder")) for _ in range(3)]
    path = f"{api.base}/orders/{quote(orders[0]['orderId'])}"
    api.registered(orders[0])
    api.client.post(f"{api.base}/orders/bulk?actions=suppress", json=orders[1:])
    api.client.delete(path, headers={"if-match": "*", "idempotency-key": unique("key")})

    sent = [
        from_confluent(message)
        for order, commands in zip(orders, (2, 1, 1), strict=True)
        for message in read_key(stack.kafka, COMMANDS.name, order["orderId"], commands)
    ]

    signatures = CommandSignatures(JobIdSecrets([job_secret(stack)]))
    assert [signatures.made(record) for record in sent] == [True] * 4
    assert not any(signatures.made(replace(record, key=b"another")) for record in sent)


def test_a_forged_command_of_the_gateway_fails_its_job_and_stops_nobody(
    stack: RunningStack,
) -> None:
    """
    Under an id that a client was given, whose job has expired, with the whole of its headers.
    """
    api, body = ApiClient(stack), order_body()
    job_id = api.registered(body)
    api.stored(job_id)
    (genuine,) = read_key(stack.kafka, COMMANDS.name, body["orderId"], 1)
    with MongoClient[Json](stack.mongo) as client:
        client[stack.database]["jobs"].delete_one({"_id": job_id})  # as retention does
    writer = stack.pid("order-writer")

    forged = RawRecord(genuine.key(), b"{", genuine.headers() or ())
    behind = [register_record(order_body()) for _ in range(20)]
    place, *_ = publish_records(stack.kafka, [forged, *behind], partition=genuine.partition())

    for record in behind:
        assert api.stored(str(dict(record.pairs)["ce_id"]))["status"] != "Failed"
    job = api.stored(job_id)
    assert (job["status"], job["errors"][0]["code"]) == ("Failed", "ValidationFailed")
    (letter,) = dead_letters(stack, COMMANDS.name, {place})
    assert header(letter, "ce_gatewaysignature") == header(genuine, "ce_gatewaysignature")
    assert header(letter, "ce_source") == "/gateway"
    assert stack.pid("order-writer") == writer
