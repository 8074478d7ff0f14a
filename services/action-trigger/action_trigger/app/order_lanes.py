"""A lane for each order: its queued deliveries are attempted one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.app.delivery_attempt import AttemptRunner, HeldBack
from action_trigger.app.endpoint_queue import QueuedDelivery
from action_trigger.domain.delivery import PendingDelivery
from action_trigger.domain.ordering import split_by_turn
from action_trigger.domain.retry_policy import Retry
from order_runtime.process.retry import retry_transient

Lane = deque[QueuedDelivery]


class OrderLanes:
    """
    Each lane is a task of *tasks* for as long as it holds deliveries.

    A delivery is in its endpoint's queue exactly while it is in its order's lane.
    """

    def __init__(
        self,
        deliveries: DeliveryStore,
        attempt_runner: AttemptRunner,
        wake_queues: Callable[[], None],
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._deliveries = deliveries
        self._attempt_runner = attempt_runner
        self._wake_queues = wake_queues
        self._tasks = tasks
        self._lanes: dict[str, Lane] = {}

    def add(self, item: QueuedDelivery) -> None:
        item.queue.add(item.delivery)
        order_id = item.delivery.order_id
        lane = self._lanes.get(order_id)
        if lane is None:
            lane = self._lanes[order_id] = deque()
            self._tasks.create_task(self._run(order_id, lane))
        lane.append(item)

    async def _run(self, order_id: str, lane: Lane) -> None:
        while lane:
            item = lane[0]
            result = await self._attempt_runner.deliver(item)
            lane.popleft()
            match result:
                case Retry(at) | HeldBack(datetime() as at):
                    item.queue.release(item.delivery, at)
                    await self._postpone_behind(replace(item.delivery, due_at=at), lane)
                case HeldBack():
                    item.queue.release(item.delivery)
                    self._release_all(lane)
                case _:
                    item.queue.release(item.delivery)
        del self._lanes[order_id]

    def _release_all(self, lane: Lane) -> None:
        """Empty the lane: the first may be ours again a moment later, and none may overtake it."""
        for item in lane:
            item.queue.release(item.delivery)
        lane.clear()
        self._wake_queues()

    async def _postpone_behind(self, first: PendingDelivery, lane: Lane) -> None:
        """Postpone the deliveries that have to wait for *first*, as long as it goes before them."""
        now = self._attempt_runner.clock.now()
        _, postponed = split_by_turn([item.delivery for item in lane], [first], now)
        due_at = {delivery.id: at for delivery, at in postponed}
        for item in [item for item in lane if item.delivery.id in due_at]:
            lane.remove(item)
            item.queue.release(item.delivery, due_at[item.delivery.id])
        await retry_transient(lambda: self._deliveries.postpone(postponed))
