"""
Passes deliveries that are due to the lanes of their orders: those that were just recorded from
memory, the others from the database, which is polled for them.
"""

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
from action_trigger.app.endpoint_queue import EndpointQueue
from action_trigger.app.order_lanes import OrderLanes
from action_trigger.app.order_turns import OrderTurns
from action_trigger.app.recorded_actions import RecordedActions
from action_trigger.domain.delivery import ReceivedAction
from order_contracts.order import ActionName
from order_runtime.process.retry import retry_transient

LONGEST_SLEEP: Final = timedelta(seconds=30)
READ_AFTER: Final = timedelta(seconds=1)
"""
How soon the database is read after deliveries were sent from memory: others may have made some due.
"""


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
        self._recorded = RecordedActions()

    async def run(self, stop: asyncio.Event) -> None:
        """Dispatch until *stop*; requests in flight are still answered and recorded."""
        async with asyncio.TaskGroup() as tasks:
            lanes = OrderLanes(
                self._backlogs,
                self._attempt_runner,
                self._open_queue,
                self.wake,
                self._recorded,
                tasks,
            )
            turns = OrderTurns(self._deliveries, self._backlogs, self._queues, lanes, self._clock)

            async def poll(queue: EndpointQueue) -> datetime:
                return await self._poll(queue, turns)

            for queue in self._queues:
                tasks.create_task(queue.run(poll, self._clock.now, stop))
            await stop.wait()
            self._attempt_runner.stop()
            self.wake()

    def expect(self, ids: Iterable[str]) -> None:
        """Prepare for deliveries that are about to be inserted, one batch at a time."""
        self._recorded.expect(ids, self._clock.now())

    def recorded(self, actions: Sequence[ReceivedAction], created_at: datetime) -> None:
        """Send what was expected and is inserted now; where none are given, read it."""
        some_left = self._recorded.add(actions, created_at)
        if some_left or not actions:
            self.wake()
            return
        names = {it.action for it in actions}
        for queue in self._queues:
            if not names.isdisjoint(queue.actions):
                queue.notify()

    def wake(self) -> None:
        """Poll the database now: it may have more that is due, or a lease was acquired."""
        for queue in self._queues:
            queue.wake()

    def endpoints_changed(self, names: Iterable[str]) -> None:
        """Poll these endpoints now: an operator changed their state, or replayed deliveries."""
        for queue in self._queues:
            if queue.name in names:
                queue.reset()

    async def _poll(self, queue: EndpointQueue, turns: OrderTurns) -> datetime:
        """Queue what is due and may be sent; return when to poll again."""
        longest = self._clock.now() + LONGEST_SLEEP
        recorded = self._recorded.take(queue.actions)
        if not queue.actions or not self._endpoint_states.is_enabled(queue.name):
            return longest
        partitions = self._leases.held(queue.client.timeout_seconds)
        if not partitions or not queue.has_space:
            queue.poll_when_released()
            return longest
        now = self._clock.now()
        if not queue.reads:
            ours = [it for it in recorded if it.action.record.partition in partitions]
            next_look = await turns.admit_recorded(ours, queue)
            next_read = min(queue.next_read or longest, now + READ_AFTER)
            return now if queue.wants_more else min([*next_look, next_read])
        page, next_due = await asyncio.gather(
            retry_transient(
                lambda: self._schedule.due(
                    partitions, queue.actions, now, queue.space, queue.partitions()
                )
            ),
            retry_transient(lambda: self._schedule.next_due(partitions, queue.actions, now)),
        )
        waiting = [delivery for delivery in page.items if not turns.is_queued(delivery)]
        if probe_at := queue.client.circuit_blocks_until(now):
            await self._attempt_runner.give_up_overdue(waiting, queue.name, now)
            return probe_at
        next_look = await turns.admit(waiting, queue, page_full=page.full)
        if queue.wants_more:
            return now
        return min([*next_look, next_due or longest, now + LONGEST_SLEEP])

    def _open_queue(self, action: ActionName) -> EndpointQueue | None:
        """Return the queue for *action*; None where its endpoint isn't sent to now."""
        for queue in self._queues:
            if action in queue.actions and self._endpoint_states.is_enabled(queue.name):
                return None if queue.client.circuit_is_open else queue
        return None
