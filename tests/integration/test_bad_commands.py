"""Bad commands amid good ones: each ends as the contract says, the good ones are applied."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import uuid4

import pytest

from order_contracts.topics import COMMANDS
from order_runtime.partitioning import partition_of
from support.api import Api
from support.builders import ABSENT, order_body, unique
from support.events import dead_letters, log_codes, rejections
from support.stack import RunningStack
from support.topics import Raw, header, publish, register
from support.wait import until


def bad_commands() -> dict[str, tuple[Raw, str]]:
    """Return each kind of bad command, with the words its reason must hold."""
    good = register(order_body())
    return {
        "not-json": (replace(register(order_body()), value=b"{not json"), "Is not JSON"),
        "empty": (replace(register(order_body()), value=b""), "empty"),
        "tombstone": (replace(register(order_body()), value=None), "empty"),
        "missing-field": (register(order_body(currencyCode=ABSENT)), "/currencyCode Is required"),
        "other-key": (replace(good, key=unique("other")), "/orderId Must equal the record's key"),
        "unknown-type": (register(order_body(), ce_type="PaintOrder.v1"), "ce_type"),
        "structured": (
            replace(good, headers={"content-type": "application/cloudevents+json"}, key="x"),
            "binary mode",
        ),
    }


@pytest.mark.parametrize("kind", list(bad_commands()))
def test_a_bad_command_amid_good_ones(stack: RunningStack, kind: str) -> None:
    """
    Failed 400 with its reasons, a dead letter with the original bytes, an entry in the log.
    """
    api = Api(stack)
    bad, words = bad_commands()[kind]
    job_id = str(uuid4())
    if "ce_id" in bad.headers:
        bad = replace(bad, headers={**bad.headers, "ce_id": job_id})
    key = bad.key if isinstance(bad.key, str) else ""
    before, after = str(uuid4()), str(uuid4())
    good = [order_body() for _ in range(2)]

    # On one partition, so that the good ones stand right before and behind it.
    places = publish(
        stack.kafka,
        [register(good[0], before), bad, register(good[1], after)],
        partition=3,
    )

    assert api.stored(before)["status"] != "Failed"
    assert api.stored(after)["status"] != "Failed"
    rejected = rejections(stack, key)[-1]
    answer = api.job(rejected["jobId"])
    assert answer.status_code == 400
    if "ce_id" in bad.headers:
        assert rejected["jobId"] == job_id
    assert "CommandRejected" in log_codes(stack, rejected["jobId"])
    [letter] = until(lambda: dead_letters(stack, "orders.commands", {places[1]}))
    assert words in (header(letter, "__connect.errors.exception.message") or "")
    assert (letter.key() or b"").decode() == key
    assert (letter.value() or b"") == (bad.value or b"")


def test_a_command_without_id_gets_a_derived_one(stack: RunningStack) -> None:
    """
    The event names the job, which is then read over HTTP.
    """
    api, body = Api(stack), order_body()
    command = register(body)
    bare = replace(command, headers={"ce_type": "RegisterOrder.v1"})

    publish(stack.kafka, [bare])

    assert until(lambda: api.order(body["orderId"]).status_code == 200)


def test_a_command_on_the_wrong_partition_is_applied_and_logged(stack: RunningStack) -> None:
    """
    Order among an order's commands isn't promised then, and the log says why.
    """
    body, job_id = order_body(), str(uuid4())
    right = partition_of(body["orderId"].encode(), COMMANDS.partitions)

    publish(stack.kafka, [register(body, job_id)], partition=(right + 1) % COMMANDS.partitions)

    assert Api(stack).stored(job_id)["status"] != "Failed"
    assert "Misrouted" in log_codes(stack, job_id)


def test_the_reason_repeats_nothing_of_the_command(stack: RunningStack) -> None:
    """
    Headers are read in dashboards: personal data stays in the value.
    """
    secret = f"{unique('person')}@example.com"
    body = order_body(contact={"matchKey": secret, "matchKeyType": secret})

    places = publish(stack.kafka, [register(body)])

    [letter] = until(lambda: dead_letters(stack, "orders.commands", set(places)))
    assert all(secret.encode() not in (value or b"") for _, value in letter.headers() or ())
    assert secret in json.loads(letter.value() or b"")["contact"]["matchKey"]
