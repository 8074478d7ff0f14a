"""The README's commands, typed as they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.builders.bodies import Json
from support.stack.api_client import is_settled
from support.stack.doc_examples import README, Shell, blocks, prepared_shell
from support.stack.running_stack import RunningStack
from support.stack.wait import until


@pytest.fixture
def shell(stack: RunningStack, tmp_path: Path) -> Shell:
    return prepared_shell(stack, tmp_path)


def test_the_order_that_is_posted_with_curl_is_stored_and_acted_on(shell: Shell) -> None:
    """
    Accepted with a job that settles; then the order and the webhook are there to be read.
    """
    posting, reading_job, reading_rest = blocks(README, "Post an order with curl")
    reading_order, reading_hooks = reading_rest.splitlines()

    receipt = json.loads(shell.type(posting))
    job = until(lambda: ended(json.loads(shell.type(reading_job))))
    order = json.loads(shell.type(reading_order))
    hooks = json.loads(shell.type(reading_hooks))

    assert receipt["status"] == "Accepted"
    assert job["jobId"] == receipt["jobId"]
    assert (job["status"], job["stages"]["action"]) == ("Completed", "delivered")
    assert (order["orderId"], order["contactId"]) == ("web-1001", "c-1001")
    assert [hook["verified"] for hook in hooks if order_of(hook) == "web-1001"] == [True]


def ended(job: Json) -> Json | None:
    return job if is_settled(job) else None


def order_of(hook: Json) -> str:
    order_id: str = hook["body"]["data"]["order"]["orderId"]
    return order_id
