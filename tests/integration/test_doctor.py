"""`orders doctor` on a running stack: it sees everything, and says in time what can't be seen."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest

from order_contracts.topics import WRITER
from order_operations.diagnosis.facts import Access, Facts
from order_operations.diagnosis.gather import gather
from order_operations.system_address import MongoAddress, SystemAddress
from order_runtime.mongo.client import INSTANCES
from support.stack.documents import find_documents
from support.stack.running_stack import RunningStack
from support.stack.wait import until

pytestmark = pytest.mark.stack

OTHER_TESTS = {
    *("CommandsUnreadable", "CommandsMisrouted", "IdsReused", "ContactsMissing", "DeadLetters"),
    *("ActionsFailed", "EndpointFails", "UnknownKeysUsed", "RevokedKeyUsed", "DiskFills"),
}
"""What other tests on the same stack bring about, and how full the disk of this machine is."""


def system(stack: RunningStack) -> SystemAddress:
    return SystemAddress(stack.kafka, MongoAddress(stack.mongo, stack.database))


def diagnosis(stack: RunningStack) -> Any:
    """Return what it says, without what other tests did."""
    done = stack.orders("doctor", "--json", "--looks-back", "1", check=False)
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["ok"] else 1)
    return [it for it in found["findings"] if it["code"] not in OTHER_TESTS]


def seen(stack: RunningStack) -> Facts:
    """Return the facts, once each service reported itself."""

    def whole() -> Facts | None:
        facts = gather(system(stack))
        return facts if len({it.service for it in facts.instances}) == 4 else None

    return until(whole, of="four services")


def test_a_healthy_stack_is_seen_whole_and_nothing_is_wrong_with_it(stack: RunningStack) -> None:
    facts = seen(stack)
    assert facts.unanswered == {}
    assert (facts.kafka.access, facts.mongodb.access) == (Access.ANSWERS, Access.ANSWERS)
    assert facts.topic_steps == []
    assert {it.group for it in facts.lags} == {"order-writer", "enricher", "action-trigger"}
    assert {it.holder.split()[0] for it in facts.disks} == {"broker", "mongod"}
    assert all(0 < it.share < 1 for it in facts.disks)
    assert [it.answers for it in facts.members] == [True]
    until(lambda: diagnosis(stack) == [], of="all clear")


def test_a_process_that_is_frozen_is_named_until_it_goes_on(stack: RunningStack) -> None:
    until(lambda: diagnosis(stack) == [], of="all clear")
    stack.kill(WRITER, "STOP")
    try:
        [found] = until(lambda: diagnosis(stack), of="a finding")
    finally:
        stack.kill(WRITER, "CONT")
    assert found["sentence"].startswith(f"No {WRITER} runs: {WRITER} is frozen")
    assert f"orders kill {WRITER} --signal CONT" in found["helps"]
    until(lambda: diagnosis(stack) == [], of="all clear")


def test_a_process_that_is_stopped_says_so_itself(stack: RunningStack) -> None:
    """Its document has its end at once, and a new start replaces it."""
    stack.kill(WRITER, "TERM")
    try:
        until(lambda: "stoppedAt" in document(stack), of="the end is stored")
        assert "failure" not in document(stack)
    finally:
        stack.start(WRITER)
    until(lambda: "stoppedAt" not in document(stack), of="it lives again")


def document(stack: RunningStack) -> dict[str, Any]:
    [found] = find_documents(stack.mongo, stack.database, INSTANCES, {"_id": f"{WRITER}/{WRITER}"})
    return found


def test_where_nothing_answers_it_ends_in_time_and_says_so(stack: RunningStack) -> None:
    command = stack.command
    began = time.monotonic()
    done = subprocess.run(
        [
            str(command.program),
            "doctor",
            "--kafka",
            "127.0.0.1:1",
            "--mongo",
            "mongodb://127.0.0.1:1/",
        ],
        env=command.environ(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert time.monotonic() - began < 20  # ten, and the start of the command on a busy machine
    assert "MongoDB doesn't answer at 127.0.0.1:1." in done.stdout
    assert "Kafka doesn't answer at 127.0.0.1:1." in done.stdout
    assert done.stderr == ""
