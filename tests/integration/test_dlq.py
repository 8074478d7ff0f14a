"""Dead letters as an operator works with them: listed, shown, dropped, sent again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from confluent_kafka import Message, Producer
from pymongo import MongoClient
from typer.testing import CliRunner, Result

from order_operations.connections.system_address import MongoAddress
from order_operations.dead_letters.letter_view import Letter, LetterPosition
from order_operations.dead_letters.outcomes import with_outcomes
from order_runtime.kafka.address import librdkafka_config
from order_runtime.kafka.dead_letters import MAX_ATTEMPTS
from order_runtime.mongo.client import ACTION_DELIVERIES, ENRICHMENTS, JOBS, Document
from order_stack.cli.main import app
from support.builders.bodies import Json, order_body, unique
from support.builders.raw_records import RawRecord, register_record
from support.stack.api_client import ApiClient
from support.stack.kafka_records import publish_records, read_key
from support.stack.outcome_queries import log_entries
from support.stack.running_stack import RunningStack
from support.stack.wait import until


def dlq(stack: RunningStack, *args: str, answer: str | None = None, code: int = 0) -> Result:
    """Run `orders dlq ARGS` on the stack, in this process, which is quicker."""
    address = ["--kafka", stack.kafka.servers, "--mongo", stack.mongo, "--database", stack.database]
    argv = ["dlq", *args, *address]
    done = CliRunner().invoke(app, argv, input=answer)
    assert done.exit_code == code, done.output
    return done


def listed(stack: RunningStack, *args: str) -> list[Json]:
    found: list[Json] = json.loads(dlq(stack, "list", "--json", *args).stdout)
    return found


def letter_of(stack: RunningStack, key: object) -> Json:
    """Return the first dead letter of an order, once it is there."""
    return until(lambda: listed(stack, "--key", str(key)), of=str(key))[0]


def garbage(key: str, job_id: str | None = None) -> RawRecord:
    return replace(register_record(order_body(key), job_id), value=b'{"person": "kim@example.com"}')


def test_a_dead_letter_is_shown_without_what_it_holds(stack: RunningStack) -> None:
    """Lists are for dashboards and tickets; the bytes come only to who asks for them."""
    job_id = str(uuid4())
    bad = garbage(unique("letter"), job_id)
    publish_records(stack.kafka, [bad])
    letter = letter_of(stack, bad.key)

    listing = stack.orders("dlq", "list", "--topic", "orders.commands").stdout
    headers = dlq(stack, "show", letter["place"]).stdout
    value = dlq(stack, "show", letter["place"], "--value").stdout_bytes

    assert letter["place"] in listing
    assert (letter["reason"], letter["jobId"]) == ("ValidationFailed", job_id)
    assert "RegisterOrder.v1" in headers
    assert "kim" not in listing + headers
    assert value == bad.value


def test_what_was_dropped_or_replayed_is_not_listed_any_more(stack: RunningStack) -> None:
    """A replay that fails again is a letter of its own; the job has failed, as before."""
    dropped, again = garbage(unique("letter")), garbage(unique("letter"))
    publish_records(stack.kafka, [dropped, again])
    first, second = letter_of(stack, dropped.key), letter_of(stack, again.key)
    of_second = ("--key", str(again.key), "--json")

    dlq(stack, "drop", first["place"])
    dry = dlq(stack, "replay", *of_second, "--dry-run")
    done = dlq(stack, "replay", *of_second)

    assert [it["place"] for it in json.loads(dry.stdout)] == [second["place"]]
    assert json.loads(done.stdout) == {"replayed": 1, "failed": {}}
    assert listed(stack, "--key", str(dropped.key)) == []
    third = letter_of(stack, again.key)
    assert (third["jobId"], third["place"] == second["place"]) == (second["jobId"], False)
    states = [it["state"] for it in listed(stack, "--key", str(again.key), "--all")]
    assert states == ["replayed", "open"]
    assert ApiClient(stack).job(second["jobId"]).status_code == 400


def by_command(stack: RunningStack, letter: Json) -> None:
    dlq(stack, "replay", letter["place"])


def by_any_tool(stack: RunningStack, letter: Json) -> None:
    """Send the letter's key, value and headers to its origin as they are, as dashboards do."""
    topic = letter["place"].split("/")[0]
    copied = [
        it
        for it in read_key(stack.kafka, topic, letter["key"], 1)
        if f"{topic}/{it.partition()}/{it.offset()}" == letter["place"]
    ]
    copy_to_origin(stack, copied[0])


def copy_to_origin(stack: RunningStack, letter: Message) -> None:
    producer = Producer(librdkafka_config(stack.kafka))
    origin = str(letter.topic()).removesuffix(".dlq")
    producer.produce(origin, letter.value(), letter.key(), headers=letter.headers())
    assert producer.flush(20) == 0


@pytest.mark.parametrize("send_again", [by_command, by_any_tool])
def test_a_replay_settles_the_job_that_failed_at_decoding(
    stack: RunningStack, send_again: Callable[[RunningStack, Json], None]
) -> None:
    """
    An order from a clock that is ahead can't be read until its time has come; it came without
    an id, so its job has that of its first place.
    """
    api, made = ApiClient(stack), datetime.now(UTC) + timedelta(minutes=5, seconds=6)
    body = order_body(createdAt=made.isoformat())
    publish_records(
        stack.kafka, [replace(register_record(body), headers={"ce_type": "RegisterOrder.v1"})]
    )
    letter = letter_of(stack, body["orderId"])
    assert api.job(letter["jobId"]).status_code == 400
    until(lambda: datetime.now(UTC) > made - timedelta(minutes=5), of="the order's time")

    send_again(stack, letter)

    until(lambda: api.job(letter["jobId"]).status_code == 200, of=letter["jobId"])
    assert listed(stack, "--key", body["orderId"]) == []
    assert api.order(body["orderId"]).status_code == 200
    [entry] = log_entries(stack, letter["jobId"], "CommandRejected")
    assert "resolvedAt" in entry


def test_a_mirror_of_the_dead_letters_into_their_topic_comes_to_an_end(
    stack: RunningStack,
) -> None:
    """After five letters of a record there is no other; what is behind it goes on."""
    api, bad = ApiClient(stack), garbage(unique("letter"))
    publish_records(stack.kafka, [bad])
    letters = [mirrored(stack, str(bad.key), number) for number in range(1, MAX_ATTEMPTS + 1)]
    behind = str(uuid4())
    publish_records(stack.kafka, [register_record(order_body(str(bad.key)), behind)])

    api.stored(behind)

    attempts = [dict(it.headers() or ())["orders-attempt"] for it in letters]
    assert attempts == [b"1", b"2", b"3", b"4", b"5"]
    states = [it["state"] for it in listed(stack, "--key", str(bad.key), "--all")]
    assert states == ["replayed"] * 4 + ["open"]


def mirrored(stack: RunningStack, key: str, number: int) -> Message:
    """Return the *number*th letter of a key, once it is there and was copied back."""
    letter = read_key(stack.kafka, "orders.commands.dlq", key, number)[number - 1]
    copy_to_origin(stack, letter)
    return letter


STATES = [
    ("pending", "replayed"),
    ("delivered", "settled"),
    ("dropped", "settled"),
    ("failed", "open"),
]


@pytest.mark.parametrize(("delivery", "state"), STATES)
def test_an_action_that_was_replayed_otherwise_is_done(
    stack: RunningStack, delivery: str, state: str
) -> None:
    """By `orders deliveries replay`, say; or its contact was erased since."""
    letter = letter_naming("orders.actions", action_id=unique("action"))
    with documents(stack, ACTION_DELIVERIES, {"_id": letter.action_id, "state": delivery}) as at:
        assert [it.state for it in with_outcomes(at, [letter])] == [state]


@pytest.mark.parametrize(
    ("topic", "job", "state"),
    [
        ("orders.commands", {"undecoded": True}, "open"),
        ("orders.commands", {"failure": {"code": "OrderNotFound"}}, "settled"),
        ("orders.commands", {}, "settled"),
        ("orders.events", {}, "open"),
        ("orders.events", {"enrichment": {"state": "done"}}, "settled"),  # of an earlier release
    ],
)
def test_a_letter_is_settled_once_its_job_is(
    stack: RunningStack, topic: str, job: Json, state: str
) -> None:
    letter = letter_naming(topic, job_id=unique("job"))
    unknown = replace(letter, job_id=unique("job"))
    with documents(stack, JOBS, {"_id": letter.job_id, **job}) as at:
        assert [it.state for it in with_outcomes(at, [letter, unknown])] == [state, "open"]


def test_an_events_letter_is_settled_once_its_job_is_enriched(stack: RunningStack) -> None:
    letter = letter_naming("orders.events", job_id=unique("job"))
    with documents(stack, ENRICHMENTS, {"_id": letter.job_id, "state": "done"}) as at:
        assert [it.state for it in with_outcomes(at, [letter])] == ["settled"]


def letter_naming(topic: str, *, job_id: str | None = None, action_id: str | None = None) -> Letter:
    position = LetterPosition(f"{topic}.dlq", 0, 1)
    at = datetime.now(UTC)
    return Letter(position, at, "", "", "", "", job_id, 0, action_id=action_id)


@contextmanager
def documents(stack: RunningStack, collection: str, document: Json) -> Iterator[MongoAddress]:
    """Yield the address of a database that has *document*, and drop it afterwards."""
    name = unique("letters")
    with MongoClient[Document](stack.mongo, timeoutMS=10_000) as client:
        client[name][collection].insert_one(document)
        try:
            yield MongoAddress(stack.mongo, name)
        finally:
            client.drop_database(name)


@pytest.mark.parametrize("topic", ["orders.events", "orders.actions"])
def test_a_letter_of_another_topic_goes_back_there(stack: RunningStack, topic: str) -> None:
    """Where it can still not be read, and becomes a letter again."""
    bad = garbage(unique("letter"))
    publish_records(stack.kafka, [bad], topic=topic)
    first = letter_of(stack, bad.key)

    dlq(stack, "replay", "--topic", topic, "--key", str(bad.key))

    second = letter_of(stack, bad.key)
    assert first["place"] != second["place"]
    assert second["origin"].startswith(f"{topic}/")
    headers = json.loads(dlq(stack, "show", second["place"], "--json").stdout)["headers"]
    assert ["orders-replay", first["origin"]] in headers
    assert ["orders-attempt", "2"] in headers


def test_a_letter_that_does_not_tell_its_origin_is_not_sent(stack: RunningStack) -> None:
    """Whoever can write into a dead-letter topic must not have us send it elsewhere."""
    strange = RawRecord(unique("letter"), b"{}", {"__connect.errors.topic": "orders.events"})
    publish_records(stack.kafka, [strange], topic="orders.commands.dlq")
    letter = letter_of(stack, strange.key)

    done = dlq(stack, "replay", letter["place"], code=1)

    assert "__connect.errors.topic" in done.stderr
    assert listed(stack, "--key", str(strange.key))[0]["state"] == "open"
    dlq(stack, "drop", letter["place"])


def test_many_are_dropped_only_after_a_question(stack: RunningStack) -> None:
    key = unique("letter")
    publish_records(stack.kafka, [garbage(key) for _ in range(11)])
    until(lambda: len(listed(stack, "--key", key)) == 11, of="eleven letters")

    refused = dlq(stack, "drop", "--key", key, answer="n\n", code=1)
    left = len(listed(stack, "--key", key))
    done = dlq(stack, "drop", "--key", key, "--yes", "--json")

    assert "Drop 11 dead letters?" in refused.output
    assert (left, json.loads(done.stdout)) == (11, {"dropped": 11})


def test_a_place_where_nothing_is_is_said_in_a_sentence(stack: RunningStack) -> None:
    done = dlq(stack, "show", "orders.commands.dlq/0/999999999", code=1)
    assert "no dead letter" in done.stderr
