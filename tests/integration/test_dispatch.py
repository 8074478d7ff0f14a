"""Dispatcher and outcome publisher on a real MongoDB and an HTTP server that misbehaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.adapters.partition_leases import SLACK, PartitionLeases, elapsed_with_suspension
from action_trigger.app.delivery_attempt import AttemptRunner, HeldBack
from action_trigger.app.endpoint_client import MAX_IN_FLIGHT
from action_trigger.app.endpoint_queue import MAX_QUEUED, QueuedDelivery
from action_trigger.app.outcome_publisher import OutcomePublisher
from action_trigger.domain.circuit_breaker import THRESHOLD
from action_trigger.domain.decode import decode_action
from action_trigger.domain.delivery import EndedDelivery, ReceivedAction
from action_trigger.domain.retry_policy import RETRY_PERIOD
from order_contracts.derived_ids import event_id
from order_contracts.order import ActionName
from order_contracts.topics import ACTIONS_DLQ
from order_runtime.documents.deliveries import (
    ENABLED,
    PAUSED,
    outcome_of,
    redaction_update,
    replay_update,
)
from order_runtime.kafka.records import Outgoing, Record
from order_runtime.mongo.client import ACTION_DELIVERIES, ENDPOINTS, INTEGRATION_LOG, LEASES
from support.builders.actions import ASKED_AT, outgoing_headers
from support.fakes.memory_kafka import MemoryPublisher
from support.harness.dispatch_harness import (
    PARTITIONS,
    DispatchHarness,
    actions_of_one_order,
    dispatch_harness,
    eventually,
    gauge,
    now,
    received_actions,
)
from support.stack.running_stack import RunningStack

pytestmark = pytest.mark.stack


@pytest.fixture
async def harness(stack: RunningStack) -> AsyncIterator[DispatchHarness]:
    async with dispatch_harness(stack.mongo) as made:
        yield made


async def test_an_endpoint_that_hangs_does_not_slow_the_others(harness: DispatchHarness) -> None:
    """More than a whole queue hangs, so that waiting behind it would show."""
    harness.webhook_endpoint.hangs = True
    await harness.record(*received_actions(MAX_QUEUED + 50, ActionName.CUSTOM))
    await harness.record(*received_actions(200))
    async with harness.run_dispatcher():
        await harness.wait_for_states({"pending": MAX_QUEUED + 50, "delivered": 200}, 10)
        assert harness.webhook_endpoint.in_flight == MAX_IN_FLIGHT


async def test_an_action_that_is_sent_again_and_fails_again_counts_its_dead_letters(
    harness: DispatchHarness,
) -> None:
    """Else a mirror of the dead letters into `orders.actions` would never come to an end."""
    (one,) = received_actions(1)
    await harness.record(one)
    first = await letter_of_failing(harness)
    again = decode_action(
        Record("orders.actions", 0, 12, ASKED_AT, first.key, first.value, first.headers)
    )
    assert isinstance(again, ReceivedAction)
    await harness.record(again)
    second = await letter_of_failing(harness)

    for letter, attempt in ((first, b"1"), (second, b"2")):
        told = [(name, value) for name, value in letter.headers if name.startswith("orders-")]
        assert told == [("orders-replay", b"orders.actions/0/0"), ("orders-attempt", attempt)]
    names = [name for name, _ in second.headers]
    assert len(names) == len(set(names))


async def letter_of_failing(harness: DispatchHarness) -> Outgoing:
    """Give all up that is pending; return the dead letter."""
    pending = await harness.due()
    await harness.deliveries.give_up(pending, "It is over", now())
    broker = MemoryPublisher()
    await OutcomePublisher(
        harness.mongo, harness.database, harness.deliveries, broker, lambda: PARTITIONS
    ).announce()
    [letter] = [it for it in broker.records if it.topic == ACTIONS_DLQ.name]
    return letter


async def test_each_is_sent_once_and_no_more_at_once_than_agreed(harness: DispatchHarness) -> None:
    await harness.record(*received_actions(1_500))
    async with harness.run_dispatcher():
        await harness.wait_for_states({"delivered": 1_500}, 60)
    assert set(harness.webhook_endpoint.posts.values()) == {1}
    assert harness.webhook_endpoint.max_in_flight <= MAX_IN_FLIGHT


async def test_a_timeout_is_recorded_and_tried_again(harness: DispatchHarness) -> None:
    harness.webhook_endpoint.hangs = True
    (one,) = received_actions(1, ActionName.CUSTOM)
    await harness.record(one)

    async def tried() -> bool:
        return len((await harness.document(one))["attempts"]) == 1

    async with harness.run_dispatcher(config=harness.config(timeout=0.3)):
        await eventually(tried)
        harness.webhook_endpoint.hangs = False
        await harness.wait_for_states({"delivered": 1})
    first = (await harness.document(one))["attempts"][0]
    assert first["answer"] == "timeout"
    assert 300 <= first["durationMs"] < 3_000


async def test_a_redirect_is_not_followed_and_an_answer_is_kept_without_secrets(
    harness: DispatchHarness,
) -> None:
    harness.webhook_endpoint.status = 302
    (one,) = received_actions(1)
    await harness.record(one)

    async def posts() -> bool:
        return bool(harness.webhook_endpoint.posts)

    async with harness.run_dispatcher():
        await eventually(posts)
        harness.webhook_endpoint.status = 204
        await harness.wait_for_states({"delivered": 1})
    assert harness.webhook_endpoint.posts == {one.action_id: 2}
    attempts = (await harness.document(one))["attempts"]
    assert [attempt["status"] for attempt in attempts] == [302, 204]
    assert "open-sesame" not in str(attempts)


async def test_a_410_disables_the_endpoint_and_keeps_its_queue_until_it_is_enabled(
    harness: DispatchHarness,
) -> None:
    harness.webhook_endpoint.status = 410
    gone, queued = received_actions(2)
    await harness.record(gone)

    async def disabled() -> bool:
        found = await harness.mongo[harness.database][ENDPOINTS].find_one({"_id": "default"})
        return found is not None and (found.get("state"), found.get("by")) == ("disabled", "410")

    async with harness.run_dispatcher():
        await eventually(disabled)
        harness.webhook_endpoint.status = 204
        await harness.record(queued, *received_actions(1, ActionName.CUSTOM))
        await harness.wait_for_states({"pending": 2, "delivered": 1})
        assert harness.webhook_endpoint.posts[queued.action_id] == 0
        await harness.set_endpoint_state("default", ENABLED)
        await harness.wait_for_states({"delivered": 3})
    document = await harness.document(gone)
    assert [attempt["status"] for attempt in document["attempts"]] == [410, 204]
    assert document["scheduled"] == 0


async def test_a_paused_endpoint_is_heeded_also_for_what_is_queued_already(
    harness: DispatchHarness,
) -> None:
    harness.webhook_endpoint.hangs = True
    await harness.record(*received_actions(MAX_IN_FLIGHT + 20, ActionName.CUSTOM))

    async def all_busy() -> bool:
        return harness.webhook_endpoint.in_flight == MAX_IN_FLIGHT

    async with harness.run_dispatcher():
        await eventually(all_busy)
        await harness.set_endpoint_state("Custom", PAUSED)
        await eventually(lambda: _gauge_is("endpoint_enabled", "Custom", 0))
        harness.webhook_endpoint.hangs = False
        harness.webhook_endpoint.released.set()
        await harness.wait_for_states({"delivered": MAX_IN_FLIGHT, "pending": 20})
        await harness.set_endpoint_state("Custom", ENABLED)
        await harness.wait_for_states({"delivered": MAX_IN_FLIGHT + 20})


async def _gauge_is(name: str, endpoint: str, value: float) -> bool:
    return gauge(name, endpoint) == value


async def test_a_dead_endpoint_uses_few_attempts_and_is_used_again_when_it_answers(
    harness: DispatchHarness,
) -> None:
    harness.webhook_endpoint.status = 503
    began, waited = now(), timedelta()
    await harness.record(*received_actions(300), at=began)

    async with harness.run_dispatcher(clock=lambda: began + waited) as dispatcher:
        await eventually(lambda: _gauge_is("circuit_open", "default", 1))
        await eventually(lambda: _seen(harness, THRESHOLD))
        used = harness.webhook_endpoint.posts.total()
        assert used <= THRESHOLD + MAX_IN_FLIGHT
        for probe in range(1, 4):
            waited = timedelta(seconds=31 * probe)
            dispatcher.wake()
            await eventually(lambda: _seen(harness, used + probe))  # noqa: B023
        harness.webhook_endpoint.status = 204
        waited = timedelta(minutes=10)
        dispatcher.wake()
        await harness.wait_for_states({"delivered": 300}, 30)


async def _seen(harness: DispatchHarness, count: int) -> bool:
    """Whether that many posts came, and the answer to each is recorded: only then may time pass."""
    posts = harness.webhook_endpoint.posts.total()
    return posts >= count and await harness.attempts() == posts


async def test_what_waits_behind_a_dead_endpoint_for_75_hours_fails_for_good(
    harness: DispatchHarness,
) -> None:
    harness.webhook_endpoint.status = 503
    began, waited = now(), timedelta()
    await harness.record(*received_actions(60), at=began)

    async with harness.run_dispatcher(clock=lambda: began + waited) as dispatcher:
        await eventually(lambda: _gauge_is("circuit_open", "default", 1))
        await eventually(lambda: _seen(harness, THRESHOLD))
        waited = RETRY_PERIOD + timedelta(minutes=1)
        dispatcher.wake()  # a probe, which fails too
        await eventually(lambda: _failed(harness, 1))
        dispatcher.wake()
        await harness.wait_for_states({"failed": 60})
    assert sum(harness.webhook_endpoint.posts.values()) < 60


async def _failed(harness: DispatchHarness, count: int) -> bool:
    return (await harness.states())["failed"] >= count


async def test_a_third_that_is_answered_500_is_recorded_delivered_once_each(
    harness: DispatchHarness,
) -> None:
    harness.webhook_endpoint.failure_rate = 0.3
    items, began = received_actions(200), now()
    waited = timedelta()
    await harness.record(*items, at=began)

    async with harness.run_dispatcher(clock=lambda: began + waited) as dispatcher:

        async def done() -> bool:
            nonlocal waited
            waited += timedelta(minutes=10)
            dispatcher.wake()
            return await harness.states() == {"delivered": 200}

        await eventually(done, 60)
    assert harness.webhook_endpoint.accepted == {item.action_id: 1 for item in items}
    assert sum(harness.webhook_endpoint.posts.values()) > 200


async def test_a_secret_is_rotated_without_a_restart(
    harness: DispatchHarness, tmp_path: Path
) -> None:
    file, old = tmp_path / "webhooks.toml", harness.config()
    file.write_text(old)

    async def signed_twice() -> bool:
        await harness.record(*received_actions(1))
        return len(harness.webhook_endpoint.signatures[-1].split()) == 2

    async with harness.run_dispatcher(config=old, file=file):
        await harness.record(*received_actions(1))
        await harness.wait_for_states({"delivered": 1})
        assert len(harness.webhook_endpoint.signatures[-1].split()) == 1
        file.write_text(old.replace('["', '["whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "'))
        await eventually(signed_twice)
        file.write_text("half a fil")
        await harness.record(*received_actions(1))
        await harness.wait_for_states({"delivered": await _all(harness)})


async def _all(harness: DispatchHarness) -> int:
    return (await harness.states()).total()


async def test_what_is_erased_while_it_is_queued_is_not_sent(harness: DispatchHarness) -> None:
    items = received_actions(5)
    config = harness.config().replace("[default]", "[default]\nrate = 1")
    everything = harness.mongo[harness.database][ACTION_DELIVERIES]
    await harness.record(*items)
    async with harness.run_dispatcher(config=config):
        await eventually(lambda: _seen(harness, 1))
        await everything.update_one({"_id": items[-1].action_id}, redaction_update(now()))
        await harness.wait_for_states({"delivered": 4, "dropped": 1})
    assert harness.webhook_endpoint.posts[items[-1].action_id] == 0


async def test_what_was_erased_is_dropped_and_not_sent(harness: DispatchHarness) -> None:
    (one,) = received_actions(1)
    await harness.record(one)
    everything = harness.mongo[harness.database][ACTION_DELIVERIES]
    await everything.update_many({"orderId": one.order_id}, redaction_update(now()))
    async with harness.run_dispatcher():
        await harness.record(*received_actions(1))
        await harness.wait_for_states({"dropped": 1, "delivered": 1})
    assert harness.webhook_endpoint.posts[one.action_id] == 0
    document = await harness.document(one)
    assert "record" not in document
    assert document["announced"] is False


async def test_nothing_is_sent_while_another_holds_the_lease(harness: DispatchHarness) -> None:
    """Two workers believe that a partition is theirs, as around a rebalance."""

    async def held() -> bool:
        return (
            await harness.mongo[harness.database][LEASES].count_documents({"owner": "first"}) == 12
        )

    async with harness.run_dispatcher(owner="first"):
        await eventually(held)
    await harness.record(*received_actions(200))
    async with (
        harness.run_dispatcher(owner="second"),
        # As after a kill: the lease runs on, and the same name takes it back at once.
        harness.run_dispatcher(owner="first"),
    ):
        await harness.wait_for_states({"delivered": 200}, 10)
    assert harness.webhook_endpoint.senders == {"first"}
    assert set(harness.webhook_endpoint.posts.values()) == {1}


class HoldsBackOnce:
    """An attempt runner that finds the lease too short once, and renewed the next time."""

    def __init__(self, attempt_runner: AttemptRunner) -> None:
        self._attempt_runner = attempt_runner
        self._holds_back = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._attempt_runner, name)

    async def deliver(self, item: QueuedDelivery) -> Any:
        if self._holds_back:
            self._holds_back = False
            return HeldBack()
        return await self._attempt_runner.deliver(item)


async def test_nothing_overtakes_what_was_held_back_for_a_moment(harness: DispatchHarness) -> None:
    items = actions_of_one_order(3)
    await harness.record(*items)
    async with harness.run_dispatcher(wrapped=lambda it: cast("AttemptRunner", HoldsBackOnce(it))):
        await harness.wait_for_states({"delivered": 3}, 10)
    assert list(harness.webhook_endpoint.posts) == [item.action_id for item in items]


async def test_a_worker_that_announces_too_late_undoes_nothing(harness: DispatchHarness) -> None:
    """It slept with a failure to announce, which was meanwhile replayed and delivered."""
    (one,) = received_actions(1)
    database = harness.mongo[harness.database]
    await harness.record(one)
    harness.webhook_endpoint.status = 400
    async with harness.run_dispatcher():
        await harness.wait_for_states({"failed": 1})
    stale = [replace(it) for it in await harness.deliveries.unannounced(PARTITIONS, 10)]
    broker = MemoryPublisher()
    outcome_publisher = OutcomePublisher(
        harness.mongo, harness.database, harness.deliveries, broker, lambda: PARTITIONS
    )
    await outcome_publisher.announce()
    harness.webhook_endpoint.status = 204
    await database[ACTION_DELIVERIES].update_one({"_id": one.action_id}, replay_update(now()))
    async with harness.run_dispatcher():
        await harness.wait_for_states({"delivered": 1})
    await outcome_publisher.announce()

    store = StaleDeliveries(harness.mongo, harness.database, b"secret")
    store.stale = stale
    late = OutcomePublisher(harness.mongo, harness.database, store, broker, lambda: PARTITIONS)
    await late.announce()

    assert (await harness.document(one))["state"] == "delivered"
    assert await database[INTEGRATION_LOG].count_documents({"resolvedAt": {"$exists": False}}) == 0


class StaleDeliveries(DeliveryStore):
    """Deliveries of which a worker read the unannounced ones before it slept."""

    stale: Sequence[EndedDelivery] = ()

    async def unannounced(self, partitions: Collection[int], limit: int) -> list[EndedDelivery]:
        del partitions, limit
        return list(self.stale)


class DeafPublisher(MemoryPublisher):
    """While deaf, the process dies before it learns that its records were taken."""

    deaf = False

    async def publish_all(self, records: Sequence[Outgoing]) -> None:
        await super().publish_all(records)
        if self.deaf:
            raise ConnectionAbortedError


async def test_what_a_crash_left_unannounced_is_announced_again_under_the_same_id(
    harness: DispatchHarness,
) -> None:
    (one,) = received_actions(1)
    await harness.record(one)
    async with harness.run_dispatcher():
        await harness.wait_for_states({"delivered": 1})
    broker = DeafPublisher()
    broker.deaf = True
    outcome_publisher = OutcomePublisher(
        harness.mongo, harness.database, harness.deliveries, broker, lambda: PARTITIONS
    )
    with pytest.raises(ConnectionAbortedError):
        await outcome_publisher.announce()
    broker.deaf = False
    assert await outcome_publisher.announce() == 1
    assert await outcome_publisher.announce() == 0
    first, again = broker.records
    assert first == again


async def test_each_end_of_a_replayed_delivery_is_announced_under_an_id_of_its_own(
    harness: DispatchHarness,
) -> None:
    """A consumer that drops ids it has seen must not lose the second failure."""
    (one,) = received_actions(1)
    await harness.record(one)
    broker = MemoryPublisher()
    outcome_publisher = OutcomePublisher(
        harness.mongo, harness.database, harness.deliveries, broker, lambda: PARTITIONS
    )
    stages, open_entries = [], []

    async def tell() -> None:
        await outcome_publisher.announce()
        stages.append(outcome_of(await harness.document(one)))
        where = {"jobId": one.job_id, "resolvedAt": {"$exists": False}}
        log = harness.mongo[harness.database][INTEGRATION_LOG]
        open_entries.append(await log.count_documents(where))

    for status, ends in ((400, "failed"), (400, "failed"), (204, "delivered")):
        harness.webhook_endpoint.status = status
        async with harness.run_dispatcher():
            await harness.wait_for_states({ends: 1})
        await tell()
        everything = harness.mongo[harness.database][ACTION_DELIVERIES]
        await everything.update_one({"_id": one.action_id}, replay_update(now()))
        await tell()
    assert [it[0] for it in stages if it] == [
        "failed",
        "pending",
        "failed",
        "pending",
        "delivered",
        "pending",
    ]
    assert open_entries == [1, 1, 1, 1, 0, 0]
    announced = [
        outgoing_headers(item) for item in broker.records if item.topic == "orders.deliveries"
    ]
    assert len({headers["ce_id"] for headers in announced}) == 3
    assert announced[0]["ce_id"] == event_id(one.job_id, "ActionFailed.v1")


async def test_a_duplicate_changes_nothing_of_what_is_there(harness: DispatchHarness) -> None:
    known, new = received_actions(2)
    await harness.record(known, at=ASKED_AT)
    bodies = await harness.deliveries.bodies([known.action_id])
    await harness.record(replace(known, record=replace(known.record, value=b"{}")), new)
    assert await harness.deliveries.bodies([known.action_id]) == bodies
    assert await harness.states() == {"pending": 2}


async def test_a_message_that_an_operator_sends_again_retries_what_failed_and_only_once(
    harness: DispatchHarness,
) -> None:
    harness.webhook_endpoint.status = 400
    failed, delivered = received_actions(2)
    await harness.record(failed)
    async with harness.run_dispatcher():
        await harness.wait_for_states({"failed": 1})
        harness.webhook_endpoint.status = 204
        await harness.record(delivered)
        await harness.wait_for_states({"failed": 1, "delivered": 1})
        harness.webhook_endpoint.status = 400
        again = [
            replace(item, replay=True, record=replace(item.record, offset=100 + number))
            for number, item in enumerate((failed, delivered))
        ]
        await harness.record(*again)
        await eventually(lambda: _attempts(harness, failed.action_id, 2))
        await harness.wait_for_states({"failed": 1, "delivered": 1})
        await harness.record(*again)
    assert await harness.states() == {"failed": 1, "delivered": 1}
    assert harness.webhook_endpoint.posts == {failed.action_id: 2, delivered.action_id: 1}


@pytest.mark.parametrize("partition", [None, 70], ids=["a topic made anew", "more partitions"])
async def test_a_message_that_is_sent_again_may_have_a_lower_offset(
    harness: DispatchHarness, partition: int | None
) -> None:
    """Offsets begin again in a topic that was made anew, and in a partition that was added."""
    harness.webhook_endpoint.status = 400
    [failed] = received_actions(1)
    placed = replace(failed, record=replace(failed.record, offset=500))
    await harness.record(placed)
    async with harness.run_dispatcher():
        await harness.wait_for_states({"failed": 1})
        later = replace(
            placed.record,
            partition=placed.record.partition if partition is None else partition,
            offset=2,
            at=placed.record.at + timedelta(seconds=1),
        )
        again = replace(placed, replay=True, record=later)
        await harness.record(again)
        await eventually(lambda: _attempts(harness, failed.action_id, 2))
        await harness.wait_for_states({"failed": 1})
        await harness.record(again)
    assert harness.webhook_endpoint.posts == {failed.action_id: 2}


async def _attempts(harness: DispatchHarness, action_id: str, count: int) -> bool:
    return harness.webhook_endpoint.posts[action_id] >= count


async def test_a_lease_ends_while_the_machine_is_suspended(harness: DispatchHarness) -> None:
    """The event loop's clock stands still then, and another worker takes the partition over."""
    seconds, acquired, stop = [1_000.0], asyncio.Event(), asyncio.Event()
    leases = PartitionLeases(
        harness.mongo, harness.database, "one", longest=15, clock=lambda: seconds[0]
    )
    leases.assign([3])
    keeping = asyncio.create_task(leases.keep(tuple, acquired.set, stop))
    async with asyncio.timeout(30):
        await acquired.wait()
        stop.set()
        await keeping

    assert leases.covers(3, 15)
    seconds[0] += 15 + SLACK
    assert not leases.covers(3, 0)


def test_leases_are_measured_by_a_clock_that_counts_suspension() -> None:
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before <= elapsed_with_suspension() <= time.clock_gettime(time.CLOCK_BOOTTIME)
