"""Polls the database for deliveries that are due, and passes them to the lanes of their orders."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from action_trigger.adapters.delivery_schedule import DeliverySchedule
from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.adapters.endpoint_state import EndpointStates
from action_trigger.adapters.order_backlogs import OrderBacklogs
from action_trigger.adapters.partition_leases import PartitionLeases
from action_trigger.app.delivery_attempt import AttemptRunner
from action_trigger.app.endpoint_queue import EndpointQueue, QueuedDelivery
from action_trigger.app.order_lanes import OrderLanes
from action_trigger.domain.delivery import PendingDelivery
from action_trigger.domain.ordering import (
    Backlog,
    first_of_each_order,
    parked_until,
    split_by_turn,
)
from order_contracts.order import ActionName
from order_runtime.process.retry import retry_transient

LONGEST_SLEEP: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Stores:
    """The deliveries: by id, by due time, and by order."""

    deliveries: DeliveryStore
    schedule: DeliverySchedule
    backlogs: OrderBacklogs


class Dispatcher:
    """
    Each endpoint has a queue and is polled for alone; each order has a lane.

    Which deliveries are queued is known in memory alone: the lease of their partition keeps other
    workers from sending them, and after a crash they are still due.
    """

    def __init__(
        self,
        stores: Stores,
        leases: PartitionLeases,
        endpoint_states: EndpointStates,
        queues: Sequence[EndpointQueue],
        attempt_runner: AttemptRunner,
    ) -> None:
        self._deliveries = stores.deliveries
        self._schedule = stores.schedule
        self._backlogs = stores.backlogs
        self._leases = leases
        self._endpoint_states = endpoint_states
        self._queues = queues
        self._attempt_runner = attempt_runner
        self._clock = attempt_runner.clock

    async def run(self, stop: asyncio.Event) -> None:
        """Dispatch until *stop*; requests in flight are still answered and recorded."""
        async with asyncio.TaskGroup() as tasks:
            lanes = OrderLanes(
                self._backlogs, self._attempt_runner, self._open_queue, self.wake, tasks
            )

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
        now = self._clock.now()
        page, next_due = await asyncio.gather(
            retry_transient(
                lambda: self._schedule.due(
                    partitions, queue.actions, now, queue.space, queue.partitions()
                )
            ),
            retry_transient(lambda: self._schedule.next_due(partitions, queue.actions, now)),
        )
        waiting = [delivery for delivery in page.items if not self._is_queued(delivery)]
        if probe_at := queue.client.circuit_blocks_until(now):
            await self._attempt_runner.give_up_overdue(waiting, queue.name, now)
            return probe_at
        next_look = await self._admit(waiting, queue, lanes, page_full=page.full)
        if queue.wants_more:
            return now
        return min([*next_look, next_due or longest, now + LONGEST_SLEEP])

    async def _admit(
        self,
        waiting: Sequence[PendingDelivery],
        queue: EndpointQueue,
        lanes: OrderLanes,
        *,
        page_full: bool,
    ) -> list[datetime]:
        """Add the first of each order to its lane, and park the others; return when to poll."""
        now, probing = self._clock.now(), queue.client.circuit_is_open
        new = [delivery for delivery in waiting if queue.is_new(delivery)]
        parked = [delivery for delivery in new if delivery.parked]
        unparked = (delivery for delivery in new if not delivery.parked)
        first, behind = first_of_each_order(unparked, lanes.room)
        selected = queue.select(first, page_full=page_full)
        backlogs, bodies = await self._read(selected, now)
        ready, postponed = split_by_turn(selected, backlogs, self._is_queued, now, probing=probing)
        # While an endpoint is probed, none of the others is taken out.
        come_later = parked if probing else [*behind, *parked]
        again = [(delivery, parked_until(delivery, now)) for delivery in come_later]
        await retry_transient(lambda: self._backlogs.park([*postponed, *again]))
        for delivery in ready:
            # Without a body its contact was erased meanwhile, or it can't be read.
            if delivery.id in bodies and queue.is_new(delivery) and not self._is_queued(delivery):
                lanes.add(QueuedDelivery(delivery, bodies[delivery.id], now, queue))
        with_parked = {order_id for order_id, it in backlogs.items() if it.has_parked}
        lanes.take_parked({delivery.order_id for delivery in come_later} | with_parked)
        return [at for _, at in postponed]

    async def _read(
        self, selected: Sequence[PendingDelivery], now: datetime
    ) -> tuple[dict[str, Backlog], dict[str, str]]:
        """Return what else their orders have, and the bodies of their webhooks."""
        if not selected:
            return {}, {}
        orders = {delivery.order_id for delivery in selected}
        ids = [delivery.id for delivery in selected]
        return await asyncio.gather(
            retry_transient(lambda: self._backlogs.of_orders(orders, now)),
            retry_transient(lambda: self._deliveries.bodies(ids)),
        )

    def _open_queue(self, action: ActionName) -> EndpointQueue | None:
        """Return the queue for *action*; None where its endpoint isn't sent to now."""
        for queue in self._queues:
            if action in queue.actions and self._endpoint_states.is_enabled(queue.name):
                return None if queue.client.circuit_is_open else queue
        return None

    def _is_queued(self, delivery: PendingDelivery) -> bool:
        """Look in all queues: a new webhooks file may have given the action another endpoint."""
        return any(queue.contains(delivery) for queue in self._queues)
