"""An operator's lists and counts: dead letters, the integration log, jobs, and the groups' lag."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from typer.testing import CliRunner

from order_contracts.topics import TOPICS
from order_operations.consumers.progress import GROUPS
from order_operations.dead_letters.documents import COUNTED as COUNTED_LETTERS
from order_operations.jobs.listing import SCANNED
from order_stack.cli.main import app
from support.builders.actions import action_record, order_action
from support.builders.bodies import Json, line, order_body, unique
from support.builders.raw_records import RawRecord, register_record
from support.stack.api_client import ApiClient
from support.stack.documents import insert_jobs
from support.stack.kafka_records import publish_outgoing, publish_records
from support.stack.running_stack import RunningStack
from support.stack.wait import until
from support.stack.webhook_receiver import set_behaviour

pytestmark = pytest.mark.stack

Orders = Callable[..., Any]


@pytest.fixture
def orders(stack: RunningStack) -> Orders:
    """Runs `orders ARGS --json` on the stack, in this process; returns its JSON."""

    def run(*args: str) -> Any:
        address = ["--kafka", stack.kafka.servers, "--mongo", stack.mongo]
        done = CliRunner().invoke(app, [*args, "--json", *address, "--database", stack.database])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    return run


def garbage(source: str) -> RawRecord:
    record = register_record(order_body(unique("listed")), ce_source=source)
    return replace(record, value=b'{"person": "kim@example.com"}')


def letters_from(orders: Orders, source: str) -> list[Json]:
    groups = orders("dlq", "summary", "--since", "1h")["groups"]
    return [it for it in groups if it["source"] == source]


def counts(rows: list[Json], *names: str) -> set[tuple[Any, ...]]:
    return {(*(it[name] for name in names), it["count"]) for it in rows}


def test_dead_letters_are_counted_by_their_sender_and_by_what_was_done_with_them(
    stack: RunningStack, orders: Orders
) -> None:
    source = f"/{unique('shop')}"
    sent = [garbage(source) for _ in range(3)]
    publish_records(stack.kafka, sent)
    until(lambda: counts(letters_from(orders, source), "state") == {("open", 3)}, of=source)
    [found] = letters_from(orders, source)
    assert (found["topic"], found["code"]) == ("orders.commands", "ValidationFailed")
    assert found["oldest"] <= found["newest"]

    dropped, replayed = str(sent[0].key), str(sent[1].key)
    until(lambda: orders("dlq", "list", "--key", replayed), of=replayed)
    orders("dlq", "drop", "--key", dropped)
    orders("dlq", "replay", "--key", replayed)

    done = {("dropped", 1), ("replayed", 1), ("open", 2)}  # it failed again, under its new place
    until(lambda: counts(letters_from(orders, source), "state") == done, of=source)
    assert "kim" not in str(letters_from(orders, source))


def test_a_summary_that_leaves_something_out_says_so(orders: Orders) -> None:
    found = orders("dlq", "summary")
    assert found["complete"] == (found["counted"] < COUNTED_LETTERS)


def test_the_log_is_listed_and_counted_by_cause_and_sender(
    stack: RunningStack, orders: Orders
) -> None:
    """What lacks something and what was refused alike."""
    source, sku = f"/{unique('shop')}", unique("sku")
    lacking = order_body(lines=[line(sku=sku)])
    sent = [register_record(lacking, ce_source=source), garbage(source)]
    publish_records(stack.kafka, sent)
    order_id = lacking["orderId"]
    missing = ("log", "--order", order_id, "--code", "ArticleMissing")
    [entry] = until(lambda: orders(*missing), of=order_id)
    assert (entry["cause"], entry["source"], entry["client"]) == (sku, source, None)

    until(lambda: orders("log", "--code", "CommandRejected", "--order", str(sent[1].key)))
    groups = orders("log", "--summary", "--since", "1h", "--limit", "1000")["groups"]
    own = [it for it in groups if it["source"] == source]
    assert {("ArticleMissing", sku, 1), ("CommandRejected", None, 1)} <= counts(
        own, "code", "cause"
    )
    assert all(it["open"] == it["count"] for it in own)
    assert orders("log", "--job", entry["jobId"], "--severity", "error") == []


def test_over_http_the_client_is_told(stack: RunningStack, orders: Orders) -> None:
    api = ApiClient(stack)
    body = order_body(lines=[line(sku=unique("sku"))])
    job_id = api.registered(body)
    [entry] = until(lambda: orders("log", "--job", job_id, "--code", "ArticleMissing"), of=job_id)
    [job] = orders("jobs", "--order", body["orderId"])
    assert job["client"] == stack.apikey.split(".")[0]
    assert (entry["source"], entry["client"]) == ("/gateway", job["client"])
    path, wanted = f"{api.base}/integration-log", {"jobId": job_id, "code": "ArticleMissing"}
    [shown] = api.client.get(path, params=wanted).json()["items"]
    assert (shown["source"], shown["client"]) == ("/gateway", job["client"])


def test_an_action_that_failed_is_of_whoever_sent_its_command(
    stack: RunningStack, orders: Orders
) -> None:
    """The action-trigger doesn't know it: the job does. A replay settles the letter."""
    action = order_action()
    insert_jobs(stack.mongo, stack.database, [action])
    set_behaviour(stack.receiver, status=400, times=1)
    publish_outgoing(stack.kafka, [action_record(action)])
    failed = ("log", "--order", action.order_id, "--code", "ActionFailed")
    [entry] = until(lambda: orders(*failed), of=action.order_id)
    assert (entry["cause"], entry["source"]) == (str(action.action), None)  # of no sender
    [job] = until(lambda: orders("jobs", "--action", "failed", "--order", action.order_id))
    assert job["jobId"] == action.job_id

    orders("deliveries", "replay", "--order", action.order_id)
    until(lambda: orders("jobs", "--action", "delivered", "--order", action.order_id))
    assert orders(*failed, "--open") == [] or until(lambda: not orders(*failed, "--open"))


def test_jobs_are_listed_and_counted_by_what_became_of_them(
    stack: RunningStack, orders: Orders
) -> None:
    source, body = f"/{unique('shop')}", order_body()
    same = [register_record(body, str(uuid4()), ce_source=source) for _ in range(3)]
    bad = garbage(source)
    publish_records(stack.kafka, [*same, bad])
    until(lambda: orders("jobs", "--order", str(bad.key), "--status", "failed"), of=source)

    listed = orders("jobs", "--order", body["orderId"])
    assert {it["jobId"] for it in listed} == {dict(it.pairs)["ce_id"] for it in same}
    refused = orders("jobs", "--code", "OrderExists", "--order", body["orderId"])
    assert refused == [it for it in listed if it["code"] == "OrderExists"]
    assert orders("jobs", "--order", body["orderId"], "--limit", "1") == listed[:1]
    until(lambda: orders("jobs", "--order", body["orderId"], "--code", "ContactMissing"))

    found = orders("jobs", "--summary", "--since", "1h", "--limit", "10000")
    own = [it for it in found["groups"] if it["source"] == source]
    assert counts(own, "operation", "status", "code") == {
        ("RegisterOrder", "Failed", "OrderExists", 2),
        ("RegisterOrder", "CompletedWithErrors", "ContactMissing", 1),
        ("Unknown", "Failed", "ValidationFailed", 1),
    }
    assert found["complete"] == (found["counted"] <= SCANNED)


def test_the_lag_of_each_group_is_told_by_topic(orders: Orders) -> None:
    rows = orders("lag")
    assert {(it["group"], it["topic"]) for it in rows} == {
        (group, topic.name) for topic in TOPICS for group in topic.readers & GROUPS
    }
    assert all(it["records"] >= 0 and it["seconds"] >= 0 for it in rows)


def test_lists_are_plain_when_piped(stack: RunningStack) -> None:
    """A row is a line, the id first, as it is."""

    def printed(*args: str) -> list[list[str]]:
        address = ["--kafka", stack.kafka.servers, "--mongo", stack.mongo]
        done = CliRunner().invoke(app, [*args, *address, "--database", stack.database])
        assert done.exit_code == 0, done.output
        return [line.split() for line in done.stdout.splitlines()]

    body = order_body()
    job_id = ApiClient(stack).registered(body)
    ApiClient(stack).stored(job_id)
    head, row = printed("jobs", "--order", body["orderId"])
    assert (head[:2], row[:2]) == (["jobId", "orderId"], [job_id, body["orderId"]])
    assert printed("log", "--since", "1h")[0][:2] == ["jobId", "orderId"]
    assert printed("log", "--summary", "--since", "1h")[0][:2] == ["count", "open"]
    assert printed("jobs", "--summary", "--since", "1h")[0][:2] == ["count", "status"]
    assert printed("dlq", "summary", "--since", "1h")[0][:2] in (["topic", "code"], ["No", "dead"])
    assert printed("lag")[0] == ["group", "topic", "records", "seconds"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("log", "--severity", "grave"), "Warning, Error"),
        (("log", "--since", "lately"), "no time"),
        (("jobs", "--timeout", "0.000001"), "--timeout"),
    ],
)
def test_what_can_not_be_done_is_a_sentence(
    stack: RunningStack, args: tuple[str, ...], said: str
) -> None:
    address = ["--mongo", stack.mongo, "--database", stack.database]
    done = CliRunner().invoke(app, [*args, *address])
    assert done.exit_code == 1
    assert said in done.stderr
