"""Polls the database for deliveries that are due, and passes them to the lanes of their orders."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.adapters.endpoint_state import EndpointStates
from action_trigger.adapters.partition_leases import PartitionLeases
from action_trigger.app.delivery_attempt import AttemptRunner
from action_trigger.app.endpoint_queue import MAX_QUEUED, EndpointQueue, QueuedDelivery
from action_trigger.app.order_lanes import OrderLanes
from action_trigger.domain.delivery import PendingDelivery
from action_trigger.domain.ordering import split_by_turn
from order_runtime.process.retry import retry_transient

LONGEST_SLEEP: Final = timedelta(seconds=30)


class Dispatcher:
    """
    Each endpoint has a queue and is polled for alone; each order has a lane.

    Which deliveries are queued is known in memory alone: the lease of their partition keeps other
    workers from sending them, and after a crash they are still due.
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
        self._clock = attempt_runner.clock

    async def run(self, stop: asyncio.Event) -> None:
        """Dispatch until *stop*; requests in flight are still answered and recorded."""
        async with asyncio.TaskGroup() as tasks:
            lanes = OrderLanes(self._deliveries, self._attempt_runner, self.wake, tasks)

            async def poll(queue: EndpointQueue) -> datetime:
                return await self._poll(queue, lanes)

            for queue in self._queues:
                tasks.create_task(queue.run(poll, self._clock.now, stop))
            await stop.wait()
            self._attempt_runner.stop()
            self.wake()

    def wake(self) -> None:
        """Poll now: something was recorded, or a lease was acquired."""
        for queue in self._queues:
            queue.wake()

    def endpoints_changed(self, names: Iterable[str]) -> None:
        """Poll these endpoints now: an operator changed their state, or replayed deliveries."""
        for queue in self._queues:
            if queue.name in names:
                queue.reset()

    async def _poll(self, queue: EndpointQueue, lanes: OrderLanes) -> datetime:
        """Queue what is due and may be sent; return when to poll again."""
        longest = self._clock.now() + LONGEST_SLEEP
        if not queue.actions or not self._endpoint_states.is_enabled(queue.name):
            return longest
        partitions = self._leases.held(queue.client.timeout_seconds)
        if not partitions or not queue.has_space:
            queue.poll_when_released()
            return longest
        pending = await retry_transient(
            lambda: self._deliveries.next_pending(partitions, queue.actions, MAX_QUEUED)
        )
        now = self._clock.now()
        if probe_at := queue.client.circuit_blocks_until(now):
            await self._give_up_overdue(pending, queue, now)
            return probe_at
        selected = [item for item in queue.select(pending, now) if not self._is_queued(item)]
        postponed_until = await self._admit(selected, queue, lanes) if selected else []
        if queue.wants_more:
            return now
        due_later = [delivery.due_at for delivery in pending if delivery.due_at > now]
        return min([*due_later, *postponed_until, now + LONGEST_SLEEP])

    async def _admit(
        self, selected: Sequence[PendingDelivery], queue: EndpointQueue, lanes: OrderLanes
    ) -> list[datetime]:
        """Add deliveries to their lanes; return when those are due that have to wait."""
        ids = [delivery.id for delivery in selected]
        orders = {delivery.order_id for delivery in selected}
        pending, bodies = await asyncio.gather(
            retry_transient(lambda: self._deliveries.pending_of(orders)),
            retry_transient(lambda: self._deliveries.bodies(ids)),
        )
        now = self._clock.now()
        others = [item for item in pending if item.id not in ids and not self._is_queued(item)]
        ready, postponed = split_by_turn(selected, others, now)
        for delivery in ready:
            if delivery.id in bodies:  # else its contact was erased meanwhile
                lanes.add(QueuedDelivery(delivery, bodies[delivery.id], now, queue))
        await retry_transient(lambda: self._deliveries.postpone(postponed))
        return [at for _, at in postponed]

    def _is_queued(self, delivery: PendingDelivery) -> bool:
        """Look in all queues: a new webhooks file may have given the action another endpoint."""
        return any(queue.contains(delivery) for queue in self._queues)

    async def _give_up_overdue(
        self, pending: Sequence[PendingDelivery], queue: EndpointQueue, now: datetime
    ) -> None:
        waiting = [delivery for delivery in pending if not self._is_queued(delivery)]
        await self._attempt_runner.give_up_overdue(waiting, queue.name, now)
