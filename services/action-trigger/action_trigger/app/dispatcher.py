"""Sends what is due: concurrently, in order for each order, only under a lease."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.adapters.endpoint_state import EndpointStates
from action_trigger.adapters.partition_leases import PartitionLeases
from action_trigger.app.delivery_attempt import AttemptRunner, HeldBack
from action_trigger.app.endpoint_queue import MAX_QUEUED, EndpointQueue, QueuedDelivery
from action_trigger.domain.circuit_breaker import CLOSED
from action_trigger.domain.delivery import PendingDelivery
from action_trigger.domain.ordering import blocked_until
from action_trigger.domain.webhooks import RETRY_PERIOD, Retry, deadline
from order_runtime.process.logs import log
from order_runtime.process.retry import retry_transient

LONGEST_SLEEP: Final = timedelta(seconds=30)
GIVEN_UP: Final = (
    f"No success in {RETRY_PERIOD // timedelta(hours=1)} hours: the endpoint takes nothing."
)


class Dispatcher:
    """
    One hand for each endpoint, one lane for each order.

    What is in hand is known in memory alone: the lease keeps others from taking it, and after a
    crash it is simply still due.
    """

    def __init__(
        self,
        deliveries: DeliveryStore,
        leases: PartitionLeases,
        endpoint_states: EndpointStates,
        queues: Sequence[EndpointQueue],
        attempt_runner: AttemptRunner,
    ) -> None:
        self._deliveries = deliveries
        self._leases = leases
        self._endpoint_states = endpoint_states
        self._queues = queues
        self._attempt_runner = attempt_runner
        self._lanes: dict[str, deque[QueuedDelivery]] = {}
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Send until *stop*; what is in flight then is still answered and recorded."""
        async with asyncio.TaskGroup() as tasks:
            for queue in self._queues:
                tasks.create_task(self._serve(queue, tasks))
            await stop.wait()
            self._stopping = True
            self._attempt_runner.stop()
            self.wake()

    def wake(self) -> None:
        """Look for what is due now: something was recorded, or a lease was taken."""
        for queue in self._queues:
            queue.wake()

    def endpoints_changed(self, names: Iterable[str]) -> None:
        """Look again: an operator opened or shut these endpoints, or replayed something."""
        for queue in self._queues:
            if queue.name in names:
                queue.circuit = CLOSED
                queue.wake()

    async def _serve(self, queue: EndpointQueue, tasks: asyncio.TaskGroup) -> None:
        while not self._stopping:
            queue.start_looking()
            until = await self._fill(queue, tasks)
            await queue.sleep(until, self._attempt_runner.now())

    async def _fill(self, queue: EndpointQueue, tasks: asyncio.TaskGroup) -> datetime:
        """Take into hand what is due and whose turn it is; return when to look again."""
        now = self._attempt_runner.now()
        if not queue.actions or not self._endpoint_states.is_open(queue.name):
            return now + LONGEST_SLEEP
        partitions = self._leases.held(queue.sender.timeout_seconds)
        if not partitions or not queue.has_space:
            queue.more = True  # perhaps: what leaves the hand will have us look
            return now + LONGEST_SLEEP
        first = await retry_transient(
            lambda: self._deliveries.next_pending(partitions, queue.actions, MAX_QUEUED)
        )
        now = self._attempt_runner.now()
        if shut_until := queue.circuit.waits_until(now):
            await self._give_up(first, queue, now)
            return shut_until
        queue.more = len(first) == MAX_QUEUED and first[-1].due_at <= now
        fresh = [delivery for delivery in queue.fresh(first, now) if not self._queued(delivery)]
        later = await self._admit(fresh, queue, tasks) if fresh else []
        if queue.more and queue.has_space and not queue.circuit.is_open:
            return now
        ahead = [delivery.due_at for delivery in first if delivery.due_at > now]
        return min([*ahead, *later, now + LONGEST_SLEEP])

    def _queued(self, delivery: PendingDelivery) -> bool:
        return any(queue.contains(delivery) for queue in self._queues)

    async def _give_up(
        self, pending: Sequence[PendingDelivery], queue: EndpointQueue, now: datetime
    ) -> None:
        """End what waited behind an open circuit until its time was over."""
        since = self._endpoint_states.since(queue.name)
        over = [
            delivery
            for delivery in pending
            if deadline(delivery.started_at, since) < now and not self._queued(delivery)
        ]
        if over:
            await retry_transient(lambda: self._deliveries.give_up(over, GIVEN_UP, now))
            log().warning("actions given up", endpoint=queue.name, count=len(over))
            self._attempt_runner.settled()

    async def _admit(
        self, fresh: Sequence[PendingDelivery], queue: EndpointQueue, tasks: asyncio.TaskGroup
    ) -> list[datetime]:
        """Put deliveries into their lanes; return when those come back whose turn it isn't."""
        orders = {delivery.order_id for delivery in fresh}
        pending, bodies = await asyncio.gather(
            retry_transient(lambda: self._deliveries.pending_of(orders)),
            retry_transient(lambda: self._deliveries.bodies([delivery.id for delivery in fresh])),
        )
        now, known = self._attempt_runner.now(), {delivery.id for delivery in fresh}
        others: dict[str, list[PendingDelivery]] = {}
        for delivery in pending:
            if delivery.id not in known and not self._queued(delivery):
                others.setdefault(delivery.order_id, []).append(delivery)
        postponed: list[tuple[PendingDelivery, datetime]] = []
        for delivery in sorted(fresh, key=lambda delivery: (delivery.partition, delivery.offset)):
            if at := blocked_until(delivery, others.get(delivery.order_id, ()), now):
                postponed.append((delivery, at))
            elif delivery.id in bodies:
                self._line_up(QueuedDelivery(delivery, bodies[delivery.id], now, queue), tasks)
        await retry_transient(lambda: self._deliveries.postpone(postponed))
        return [at for _, at in postponed]

    def _line_up(self, item: QueuedDelivery, tasks: asyncio.TaskGroup) -> None:
        item.queue.take(item.delivery)
        lane = self._lanes.get(item.delivery.order_id)
        if lane is None:
            lane = self._lanes[item.delivery.order_id] = deque()
            tasks.create_task(self._run(item.delivery.order_id, lane))
        lane.append(item)

    async def _run(self, order_id: str, lane: deque[QueuedDelivery]) -> None:
        """Send an order's deliveries one after the other."""
        while lane:
            item = lane[0]
            result = await self._attempt_runner.deliver(item)
            lane.popleft()
            item.queue.release(item.delivery)
            match result:
                case Retry(at) | HeldBack(datetime() as at):
                    item.queue.due(at)
                    await self._step_back(lane, replace(item.delivery, due_at=at))
                case HeldBack():
                    self._release_lane(lane)
        del self._lanes[order_id]

    def _release_lane(self, lane: deque[QueuedDelivery]) -> None:
        """Let go of all: none may overtake the first, should it be ours again a moment later."""
        for item in lane:
            item.queue.release(item.delivery)
        lane.clear()
        self.wake()

    async def _step_back(self, lane: deque[QueuedDelivery], first: PendingDelivery) -> None:
        """Let those that came after *first* wait with it, while it is young."""
        now = self._attempt_runner.now()
        waiting = [(item, blocked_until(item.delivery, (first,), now)) for item in lane]
        postponed = [(item, at) for item, at in waiting if at is not None]
        for item, at in postponed:
            lane.remove(item)
            item.queue.release(item.delivery)
            item.queue.due(at)
        await retry_transient(
            lambda: self._deliveries.postpone([(item.delivery, at) for item, at in postponed])
        )
