"""Random commands, with retries, keys and preconditions, compared with a model of the contract."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence

import httpx
import pytest
from confluent_kafka import Producer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient

from support.builders.bodies import Json
from support.load.command_sequences import PlannedCommand, command_sequences
from support.load.sequence_runner import SequenceRunner
from support.model.expected_outcomes import contact_key, expected_outcome
from support.model.model import READ_ONLY, tag_of
from support.stack.async_api_client import AsyncApiClient
from support.stack.running_stack import RunningStack
from support.stack.webhook_receiver import webhook_body

pytestmark = pytest.mark.timeout(240)

LANES, ROUNDS = 30, 2


@settings(
    max_examples=ROUNDS,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(lanes=st.lists(command_sequences(), min_size=LANES, max_size=LANES))
def test_any_sequence_ends_as_the_model_says(
    stack: RunningStack, contact: Json, lanes: list[list[PlannedCommand]]
) -> None:
    """
    Over HTTP and directly, waited for or not: orders, jobs, versions and webhooks are the model's.
    """
    players = asyncio.run(played(stack, contact, lanes))

    versions, hooks = versions_of(stack, players), hooks_of(stack)
    for player in players:
        for order_id in player.order_ids:
            assert versions.get(order_id, 0) == player.model.version(order_id), told(player)
            assert hooks[order_id] == delivered(player, order_id), told(player)


async def played(
    stack: RunningStack, contact: Json, lanes: Sequence[Sequence[PlannedCommand]]
) -> list[SequenceRunner]:
    """Play all lanes at once, and compare each with its model when it is at rest."""
    producer = Producer({"bootstrap.servers": stack.kafka, "partitioner": "murmur2_random"})
    key = contact["matchKeyType"], contact["matchKey"]
    async with AsyncApiClient(stack) as calls:
        players = [SequenceRunner(calls, producer, {key}, contact) for _ in lanes]
        together = zip(players, lanes, strict=True)
        await asyncio.gather(
            *[player.play(command_sequences) for player, command_sequences in together]
        )
        await asyncio.gather(*[compare(player) for player in players])
    return players


async def compare(player: SequenceRunner) -> None:
    player.jobs = await player.calls.settled(player.model.jobs)
    for job_id, job in player.jobs.items():
        check_job(player, job_id, job)
    for order_id in player.order_ids:
        check_order(player, order_id, await player.calls.order(order_id))
        await check_list(player, order_id)


def check_job(player: SequenceRunner, job_id: str, job: Json) -> None:
    """A job is where its fate allows; an alias shows the content of the job it repeats."""
    alias_of = player.model.jobs[job_id].result.alias_of
    shown = player.model.jobs[alias_of or job_id]
    result, allowed = shown.result, expected_outcome(player.model, player.contacts, job_id)
    lacking = result.code is None and job["status"] in {"Failed", "CompletedWithErrors"}
    codes = ["ContactMissing"] if lacking else [result.code] if result.code else []
    assert job["status"] in allowed.statuses, told(player, job)
    assert job["stages"]["action"] in allowed.actions, told(player, job)
    assert [error["code"] for error in job["errors"]] == codes, told(player, job)
    assert tuple(warning["code"] for warning in job["warnings"]) == result.warnings, told(
        player, job
    )
    version_tag = tag_of(shown.command.job_id) if result.version is not None else None
    said = job["operation"], job.get("versionTag"), job.get("aliasOf")
    assert said == (shown.command.kind, version_tag, alias_of), told(player, job)


def check_order(player: SequenceRunner, order_id: str, found: Json | None) -> None:
    order = player.model.order(order_id)
    if order is None or found is None:
        assert (order, found) == (None, None), told(player)
        return
    content = {name: value for name, value in found.items() if name not in READ_ONLY}
    known = contact_key(order.content) in player.contacts
    assert content == order.content, told(player)
    assert found["versionTag"] == order.version_tag, told(player)
    assert found["orderType"] == "Purchase"
    assert found.get("contactId") == (player.contact["matchKey"] if known else None), told(player)


async def check_list(player: SequenceRunner, order_id: str) -> None:
    """The list has a job for every command, also for those under the id of another one."""
    listed = await player.calls("GET", f"/orders/jobs?orderId={order_id}&count=100")
    others = [job for job in listed.body["items"] if job["jobId"] not in player.model.jobs]
    ids = {step.command.job_id for step in player.model.history.get(order_id, ())}
    assert ids <= {job["jobId"] for job in listed.body["items"]}, told(player)
    codes = [job["errors"][0]["code"] for job in others]
    assert codes == ["IdReused"] * player.reused.get(order_id, 0), told(player)


def versions_of(stack: RunningStack, players: Sequence[SequenceRunner]) -> dict[str, int]:
    """Return the version of each order, or of the tombstone that it left."""
    ids = [order_id for player in players for order_id in player.order_ids]
    with MongoClient[Json](stack.mongo) as client:
        found = client[stack.database]["orders"].find({"_id": {"$in": ids}}, {"version": 1})
        return {document["_id"]: document["version"] for document in found}


def hooks_of(stack: RunningStack) -> Counter[str]:
    """Return how many actions of each order were received, each id counted once."""
    hooks = [webhook_body(hook)["data"] for hook in httpx.get(f"{stack.receiver}/received").json()]
    orders = {hook["actionId"]: hook["order"]["orderId"] for hook in hooks}
    return Counter(orders.values())


def delivered(player: SequenceRunner, order_id: str) -> int:
    steps = player.model.history.get(order_id, ())
    ids = [step.command.job_id for step in steps if step.result.alias_of is None]
    return sum(player.jobs[job_id]["stages"]["action"] == "delivered" for job_id in ids)


def told(player: SequenceRunner, job: Json | None = None) -> str:
    """Return what a failure has to show: what was sent, and how it was answered."""
    return "\n".join([*player.said, json.dumps(job)])
