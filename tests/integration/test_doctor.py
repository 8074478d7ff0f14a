"""`orders doctor` on a running stack: it sees everything, and says in time what can't be seen."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from order_contracts.topics import WRITER
from order_operations.connections.system_address import MongoAddress, SystemAddress
from order_operations.diagnosis.facts import Access, Facts
from order_operations.diagnosis.gather import gather
from order_runtime.mongo.client import INSTANCES
from order_stack.cli.main import app
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
    assert (facts.topic_steps, facts.schema_steps) == ([], [])
    assert facts.rights == []  # nobody asks for any here
    assert {it.group for it in facts.lags} == {"order-writer", "enricher", "action-trigger"}
    assert {it.holder.split()[0] for it in facts.disks} == {"broker", "mongod"}
    assert all(0 < it.share < 1 for it in facts.disks)
    assert [it.answers for it in facts.members] == [True]
    until(lambda: diagnosis(stack) == [], of="all clear")


def test_a_process_that_is_stopped_says_so_itself(stack: RunningStack) -> None:
    """Its document has its end at once, and a new start replaces it."""
    stack.kill(WRITER, "TERM")
    try:
        until(lambda: "stoppedAt" in document(stack), of="the end is stored")
        assert "failure" not in document(stack)
        [found] = diagnosis(stack)
    finally:
        stack.start(WRITER)
    assert found["sentence"].startswith(f"No {WRITER} runs: {WRITER} was stopped")
    assert f"`orders start {WRITER}`" in found["helps"]
    until(lambda: diagnosis(stack) == [], of="all clear")


def document(stack: RunningStack) -> dict[str, Any]:
    [found] = find_documents(stack.mongo, stack.database, INSTANCES, {"_id": f"{WRITER}/{WRITER}"})
    return found


def test_where_nothing_answers_it_ends_in_time_and_says_so(tmp_path: Path) -> None:
    nobody = ("--kafka", "127.0.0.1:1", "--mongo", "mongodb://127.0.0.1:1/")
    began = time.monotonic()
    done = CliRunner().invoke(app, ["doctor", *nobody], env={"ORDERS_HOME": str(tmp_path)})
    assert time.monotonic() - began < 10
    assert done.exit_code == 1
    assert "MongoDB doesn't answer at 127.0.0.1:1." in done.stdout
    assert "Kafka doesn't answer at 127.0.0.1:1." in done.stdout
    assert done.stderr == ""
