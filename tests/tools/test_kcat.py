"""The README's kcat line, as a system that publishes directly would use it."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from pymongo import MongoClient

from support.builders.bodies import Json, unique
from support.stack.api_client import ApiClient
from support.stack.consumer_groups import lag
from support.stack.doc_examples import PUBLISHING, README, Shell, blocks, prepared_shell
from support.stack.outcome_queries import log_codes, rejections
from support.stack.running_stack import RunningStack
from support.stack.wait import until

pytestmark = pytest.mark.tools

DONE = {"Completed", "CompletedWithErrors"}
SHOWN = "kcat-1001"


@pytest.fixture(scope="module")
def shell(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    assert shutil.which("kcat"), "kcat is missing: apt-get install kcat"
    return prepared_shell(stack, tmp_path_factory.mktemp("clone"))


def publishing(order_id: str) -> tuple[str, str]:
    """Return what the README does first for an order, and the line that publishes it."""
    making, _ = blocks(README, "Publish one with kcat")
    *before, line = making.replace(SHOWN, order_id).splitlines()
    assert "kcat -P" in line
    return "\n".join(before), line


def published(shell: Shell, order_id: str) -> str:
    """Publish the README's order under another orderId; return its job id."""
    shell.type("\n".join(publishing(order_id)))
    return shell.type('echo "$JOB"').strip()


def test_the_line_publishes_an_order_whose_job_is_read_over_http(shell: Shell) -> None:
    """
    Typed as it stands, and so is the line that reads the job.
    """
    _, reading = blocks(README, "Publish one with kcat")

    job_id = published(shell, SHOWN)
    job = until(lambda: done(json.loads(shell.type(reading))))

    assert (job["jobId"], job["orderId"]) == (job_id, SHOWN)
    assert log_codes(shell.stack, job_id) == [], "not where murmur2 would have put it"


def test_the_same_line_three_times_is_one_order_and_one_job(shell: Shell) -> None:
    """
    A publisher that isn't sure whether it has published simply does it again.
    """
    order_id = unique("kcat")

    job_id = published(shell, order_id)
    assert ApiClient(shell.stack).stored(job_id)["status"] in DONE
    with MongoClient[dict[str, Any]](shell.stack.mongo) as client:
        database = client[shell.stack.database]
        [stored] = database["orders"].find({"_id": order_id})

        for _ in range(2):
            shell.type(publishing(order_id)[1])
        until(lambda: lag(shell.stack.kafka, "order-writer", "orders.commands") == 0)

        assert [job["_id"] for job in database["jobs"].find({"orderId": order_id})] == [job_id]
        [again] = database["orders"].find({"_id": order_id})
        assert again["version"] == stored["version"], "applied once"


def test_the_same_id_for_another_order_is_refused(shell: Shell) -> None:
    """
    The other order isn't stored, and a job of its own says why.
    """
    api, other = ApiClient(shell.stack), unique("kcat")
    job_id = published(shell, unique("kcat"))
    api.stored(job_id)

    before, line = publishing(other)
    shell.type(f"{before}\nJOB={job_id}\n{line}")

    [refused] = rejections(shell.stack, other)
    assert refused["error"]["code"] == "IdReused"
    answer = api.job(refused["jobId"])
    assert (answer.status_code, answer.json()["code"]) == (409, "IdReused")
    assert api.order(other).status_code == 404


def test_what_the_document_adds_to_it(shell: Shell) -> None:
    """
    An order is deleted, and every outcome is printed.
    """
    order_id = unique("kcat")
    deleting, printing = (it.replace(SHOWN, order_id) for it in blocks(PUBLISHING, "With kcat"))
    ApiClient(shell.stack).stored(published(shell, order_id))

    shell.type(deleting)

    job = ApiClient(shell.stack).stored(shell.type('echo "$JOB"').strip())
    assert (job["operation"], job["status"]) == ("DeleteOrder", "Completed")
    lines = shell.type(printing).splitlines()
    told = [line for line in lines if line.startswith(f"{order_id} ")]
    assert ["ce_type=OrderDeleted.v1" in line for line in told] == [False, True]


def done(answer: Json) -> Json | None:
    """Return the job of an answer, once the command is applied."""
    return answer if answer.get("status") in DONE else None
