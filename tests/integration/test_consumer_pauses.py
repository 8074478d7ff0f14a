"""A consumer group that an operator pauses takes nothing, and goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from order_contracts.topics import ACTIONS, COMMANDS, CONTACTS, ENRICHER, TRIGGER, WRITER
from order_operations.consumers.lag import lags
from order_stack.cli.main import app
from support.builders.actions import action_record, order_action
from support.builders.bodies import contact_body, matching, order_body
from support.builders.raw_records import RawRecord
from support.stack.api_client import ApiClient
from support.stack.documents import insert_jobs
from support.stack.kafka_records import publish_outgoing, publish_records
from support.stack.running_stack import RunningStack
from support.stack.service_logs import log_lines
from support.stack.wait import until

pytestmark = pytest.mark.stack

PAUSED = {WRITER: WRITER, ENRICHER: f"{ENRICHER}/{CONTACTS.name}", TRIGGER: TRIGGER}
Consumers = Callable[..., Result]


@pytest.fixture
def consumers(stack: RunningStack) -> Iterator[Consumers]:
    address = ["--mongo", stack.mongo, "--database", stack.database]

    def run(*args: str, code: int = 0) -> Result:
        done = CliRunner().invoke(app, ["consumers", *args, *address])
        assert done.exit_code == code, done.output
        return done

    yield run
    for group in PAUSED:
        run("resume", group)


def heeds(stack: RunningStack, service: str, name: str) -> bool:
    """Return whether a service has logged that *name* is paused."""
    logged = log_lines(stack, service)
    return any((it["event"], it.get("paused")) == ("consumer paused", name) for it in logged)


def behind(stack: RunningStack) -> set[str]:
    return {it.topic for it in lags(stack.kafka) if it.records}


def test_what_is_paused_waits_and_the_rest_goes_on(
    stack: RunningStack, consumers: Consumers
) -> None:
    """The order-writer and the action-trigger as a whole, of the enricher one topic."""
    api, contact, jobs = ApiClient(stack), contact_body(), list[str]()
    for args in ((WRITER,), (ENRICHER, "--topic", CONTACTS.name), (TRIGGER,)):
        consumers("pause", *args, "--by", "kim")
    for service, name in PAUSED.items():
        until(partial(heeds, stack, service, name), of=f"{service} to heed it")

    def is_behind() -> bool:
        """Send one more of each: those in whose time a worker still waited for one are taken."""
        jobs.append(api.registered(order_body(contact=matching(contact))))
        record = RawRecord(contact["contactId"], json.dumps(contact).encode(), {})
        publish_records(stack.kafka, [record], topic=CONTACTS.name)
        action = order_action()
        insert_jobs(stack.mongo, stack.database, [action])
        publish_outgoing(stack.kafka, [action_record(action)])
        return behind(stack) >= {COMMANDS.name, CONTACTS.name, ACTIONS.name}

    until(is_behind, of="their lag")
    job_id = jobs[-1]
    assert api.job(job_id).json()["status"] == "Accepted"
    listed: list[dict[str, Any]] = json.loads(consumers("list", "--json").stdout)
    assert [(it["group"], it["topic"], it["by"]) for it in listed] == [
        (TRIGGER, None, "kim"),
        (ENRICHER, CONTACTS.name, "kim"),
        (WRITER, None, "kim"),
    ]
    status = stack.status()
    assert any("order-writer is paused since" in it for it in status["paused"])
    assert all(it["ready"] for it in status["services"])

    for group in PAUSED:
        consumers("resume", group)
    until(lambda: api.job(job_id).json()["status"] == "Completed", of=job_id)
    until(lambda: not behind(stack), of="their lag to be gone")


def test_a_group_or_a_topic_that_is_none_is_named_with_those_that_are(
    consumers: Consumers,
) -> None:
    assert "order-writer" in consumers("pause", "writer", code=1).stderr
    wrong = consumers("pause", WRITER, "--topic", CONTACTS.name, code=1)
    assert COMMANDS.name in wrong.stderr
    assert "was not paused" in consumers("resume", WRITER).stdout
