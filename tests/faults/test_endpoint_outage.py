"""The webhook endpoint is down for long: no action is lost, the other services aren't slowed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from action_trigger.adapters.rate_limiter import BURST
from action_trigger.app.endpoint_client import MAX_IN_FLIGHT
from action_trigger.domain.circuit_breaker import PROBE_EVERY, THRESHOLD
from support.builders.bodies import contact_body, matching, order_body
from support.harness.dispatch_harness import (
    DispatchHarness,
    dispatch_harness,
    eventually,
    now,
    received_actions,
)
from support.stack.api_client import ApiClient
from support.stack.running_stack import RunningStack
from support.stack.wait import until
from support.stack.webhook_receiver import received_webhook_ids

pytestmark = [pytest.mark.stack, pytest.mark.faults, pytest.mark.timeout(600)]

RATE = 100
MINUTES = 60
A_MINUTE = 20  # actions


@pytest.fixture
async def harness(stack: RunningStack) -> AsyncIterator[DispatchHarness]:
    async with dispatch_harness(stack.mongo) as made:
        yield made


async def test_an_hour_of_503_loses_nothing_and_the_queue_drains_at_the_rate(
    harness: DispatchHarness,
) -> None:
    """At least an hour by a simulated clock, against a real endpoint that is probed each minute."""
    harness.webhook_endpoint.status, offset = 503, timedelta()
    items = received_actions(MINUTES * A_MINUTE)
    config = harness.config().replace("[default]", f"[default]\nrate = {RATE}")

    async with harness.run_dispatcher(config=config, clock=lambda: now() + offset) as dispatcher:

        async def posted_at_least(times: int) -> bool:
            nonlocal offset
            offset += timedelta(seconds=15)
            dispatcher.wake()
            return (
                harness.webhook_endpoint.in_flight == 0
                and harness.webhook_endpoint.posts.total() >= times
            )

        for minute in range(MINUTES):
            come = items[minute * A_MINUTE : (minute + 1) * A_MINUTE]
            await harness.record(*come, at=now() + offset)
            offset += timedelta(seconds=45)
            await eventually(lambda: posted_at_least(minute + 1))  # noqa: B023
        assert await harness.states() == {"pending": len(items)}
        assert offset >= timedelta(hours=1)
        assert (
            harness.webhook_endpoint.posts.total()
            <= THRESHOLD + MAX_IN_FLIGHT + offset / PROBE_EVERY
        )

        harness.webhook_endpoint.status, harness.webhook_endpoint.times = 204, []
        offset += timedelta(hours=6)
        dispatcher.wake()
        await harness.wait_for_states({"delivered": len(items)}, 120)
    assert harness.webhook_endpoint.accepted == {item.action_id: 1 for item in items}
    seconds = max(harness.webhook_endpoint.times) - min(harness.webhook_endpoint.times)
    assert len(items) <= RATE * (seconds + 2 * BURST)


def test_orders_are_taken_as_ever_while_the_receiver_is_gone(
    stack: RunningStack, tmp_path: Path
) -> None:
    """Every job completes while the receiver is down; afterwards all webhooks are delivered."""
    api, known = ApiClient(stack), contact_body()
    file = tmp_path / "contacts.ndjson"
    file.write_text(json.dumps(known))
    stack.orders("reference", "load", "--wait", str(file))
    stack.kill("receiver")
    bodies = [
        order_body(contact=matching(known), orderAction={"action": "ConfirmOrder"})
        for _ in range(300)
    ]
    jobs = [api.registered(body) for body in bodies]
    for job_id in jobs:
        assert api.stored(job_id)["status"] == "Completed"
    until(lambda: all(_fired(api, job_id) for job_id in jobs), seconds=120)
    stack.start("receiver")
    until(lambda: len(set(received_webhook_ids(stack.receiver))) >= len(jobs), seconds=480)
    for job_id in jobs:
        assert api.settled(job_id, seconds=60)["stages"]["action"] == "delivered"


def _fired(api: ApiClient, job_id: str) -> bool:
    stage: str = api.stored(job_id)["stages"]["action"]
    return stage == "fired"
