"""Random commands, with retries, keys and preconditions, compared with a model of the contract."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence

import httpx
import pytest
from confluent_kafka import Producer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from order_runtime.kafka.address import librdkafka_config
from support.builders.bodies import Json
from support.load.command_sequences import PlannedCommand, command_sequences
from support.load.sequence_runner import SequenceRunner
from support.model.expected_outcomes import contact_key, expected_outcome
from support.model.model import READ_ONLY, REGISTER, tag_of
from support.stack.async_api_client import AsyncApiClient
from support.stack.running_stack import RunningStack
from support.stack.webhook_receiver import webhook_body

pytestmark = pytest.mark.timeout(240)

SEQUENCES, ROUNDS = 30, 2


@settings(
    max_examples=ROUNDS,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(sequences=st.lists(command_sequences(), min_size=SEQUENCES, max_size=SEQUENCES))
def test_any_sequence_ends_as_the_model_says(
    stack: RunningStack, contact: Json, sequences: list[list[PlannedCommand]]
) -> None:
    """
    Over HTTP and directly, waited for or not: orders, jobs, versions and webhooks are the model's.
    """
    runners = asyncio.run(run_sequences(stack, contact, sequences))

    versions, times = versions_of(stack, runners), job_times(stack, runners)
    hooks = hooks_of(stack)
    for runner in runners:
        for order_id in runner.order_ids:
            expected = last_version(runner, order_id, times)
            assert versions.get(order_id, 0) == expected, trace(runner)
            assert hooks[order_id] == delivered(runner, order_id), trace(runner)


async def run_sequences(
    stack: RunningStack, contact: Json, sequences: Sequence[Sequence[PlannedCommand]]
) -> list[SequenceRunner]:
    """Play all lanes at once, and compare each with its model when it is at rest."""
    producer = Producer({**librdkafka_config(stack.kafka), "partitioner": "murmur2_random"})
    key = contact["matchKeyType"], contact["matchKey"]
    async with AsyncApiClient(stack) as calls:
        runners = [SequenceRunner(calls, producer, {key}, contact) for _ in sequences]
        together = zip(runners, sequences, strict=True)
        await asyncio.gather(*[runner.run(plans) for runner, plans in together])
        await asyncio.gather(*[compare(runner) for runner in runners])
    return runners


async def compare(runner: SequenceRunner) -> None:
    await runner.api.settled(runner.model.jobs)
    # Read again: what was held at first may have ended by a command of its order behind it.
    runner.jobs = await runner.api.settled(runner.model.jobs)
    for job_id, job in runner.jobs.items():
        check_job(runner, job_id, job)
    for order_id in runner.order_ids:
        check_order(runner, order_id, await runner.api.order(order_id))
        await check_list(runner, order_id)


def check_job(runner: SequenceRunner, job_id: str, job: Json) -> None:
    """A job is where its fate allows; an alias shows the content of the job it repeats."""
    alias_of = runner.model.jobs[job_id].result.alias_of
    shown = runner.model.jobs[alias_of or job_id]
    result, allowed = shown.result, expected_outcome(runner.model, runner.contacts, job_id)
    lacking = result.code is None and job["status"] in {"Failed", "CompletedWithErrors"}
    codes = ["ContactMissing"] if lacking else [result.code] if result.code else []
    assert job["status"] in allowed.statuses, trace(runner, job)
    assert job["stages"]["action"] in allowed.actions, trace(runner, job)
    assert [error["code"] for error in job["errors"]] == codes, trace(runner, job)
    # What enrichment found out says when.
    of_the_command = tuple(it["code"] for it in job["warnings"] if "at" not in it)
    assert of_the_command == result.warnings, trace(runner, job)
    version_tag = tag_of(shown.command.job_id) if result.version is not None else None
    transcript = job["operation"], job.get("versionTag"), job.get("aliasOf")
    assert transcript == (shown.command.kind, version_tag, alias_of), trace(runner, job)


def check_order(runner: SequenceRunner, order_id: str, found: Json | None) -> None:
    order = runner.model.order(order_id)
    if order is None or found is None:
        assert (order, found) == (None, None), trace(runner)
        return
    content = {name: value for name, value in found.items() if name not in READ_ONLY}
    known = contact_key(order.content) in runner.contacts
    assert content == order.content, trace(runner)
    assert found["versionTag"] == order.version_tag, trace(runner)
    assert found["orderType"] == "Purchase"
    assert found.get("contactId") == (runner.contact["matchKey"] if known else None), trace(runner)


async def check_list(runner: SequenceRunner, order_id: str) -> None:
    """The list has a job for every command, also for those under the id of another one."""
    listed = await runner.api("GET", f"/orders/jobs?orderId={order_id}&count=100")
    others = [job for job in listed.body["items"] if job["jobId"] not in runner.model.jobs]
    ids = {step.command.job_id for step in runner.model.history.get(order_id, ())}
    assert ids <= {job["jobId"] for job in listed.body["items"]}, trace(runner)
    codes = [job["errors"][0]["code"] for job in others]
    assert codes == ["IdReused"] * runner.reused_ids.get(order_id, 0), trace(runner)


def versions_of(stack: RunningStack, runners: Sequence[SequenceRunner]) -> dict[str, int]:
    """Return the version of each order, or of the tombstone that it left."""
    ids = [order_id for runner in runners for order_id in runner.order_ids]
    with MongoClient[Json](stack.mongo) as client:
        found = client[stack.database]["orders"].find({"_id": {"$in": ids}}, {"version": 1})
        return {document["_id"]: document["version"] for document in found}


def job_times(stack: RunningStack, runners: Sequence[SequenceRunner]) -> dict[str, int]:
    """Return when the broker took the command of each job, in milliseconds since 1970."""
    ids = [job_id for runner in runners for job_id in runner.model.jobs]
    with MongoClient[Json](stack.mongo, tz_aware=True) as client:
        found = client[stack.database]["jobs"].find({"_id": {"$in": ids}}, {"at": 1})
        return {document["_id"]: round(document["at"].timestamp() * 1000) for document in found}


def last_version(runner: SequenceRunner, order_id: str, times: Mapping[str, int]) -> int:
    """Return the version that the model's changes lead to, given the times of the registrations."""
    version = 0
    for step in runner.model.history.get(order_id, ()):
        if step.result.version is not None:
            registered = step.command.kind == REGISTER
            version = max(version + 1, times[step.command.job_id] if registered else 0)
    return version


def hooks_of(stack: RunningStack) -> Counter[str]:
    """Return how many actions of each order were received, each id counted once."""
    hooks = [webhook_body(hook)["data"] for hook in httpx.get(f"{stack.receiver}/received").json()]
    orders = {hook["actionId"]: hook["order"]["orderId"] for hook in hooks}
    return Counter(orders.values())


def delivered(runner: SequenceRunner, order_id: str) -> int:
    steps = runner.model.history.get(order_id, ())
    ids = [step.command.job_id for step in steps if step.result.alias_of is None]
    return sum(runner.jobs[job_id]["stages"]["action"] == "delivered" for job_id in ids)


def trace(runner: SequenceRunner, job: Json | None = None) -> str:
    """Return what a failure has to show: what was sent, and how it was answered."""
    return "\n".join([*runner.transcript, json.dumps(job)])
