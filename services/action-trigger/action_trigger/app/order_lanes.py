"""A lane for each order: its queued deliveries are attempted one after the other."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from action_trigger.adapters.order_backlogs import OrderBacklogs, ParkedDeliveries
from action_trigger.app.delivery_attempt import AttemptRunner, HeldBack
from action_trigger.app.endpoint_queue import EndpointQueue, QueuedDelivery
from action_trigger.app.recorded_actions import RecordedActions
from action_trigger.domain.delivery import PendingDelivery
from action_trigger.domain.ordering import LANE_DEPTH, Postponed, blocked_until, free_to_follow
from action_trigger.domain.retry_policy import Retry
from order_contracts.order import ActionName
from order_runtime.process.retry import retry_transient

MAX_FOLLOWED: Final = 10_000
"""Orders that are remembered for `follow`; of what is forgotten the delivery waits its time."""

QueueOf = Callable[[ActionName], EndpointQueue | None]
"""Returns the queue for an action; None where its endpoint isn't sent to now."""


@dataclass(slots=True)
class Lane:
    items: deque[QueuedDelivery] = field(default_factory=deque)
    has_parked: bool = False
    """Whether the order may have parked deliveries in the database."""


class OrderLanes:
    """
    Each lane is a task of *tasks* for as long as it holds deliveries.

    A delivery is in its endpoint's queue exactly while it is in its order's lane. Those that the
    lane has no room for are parked in the database; the lane takes the next of them out before it
    attempts the last that it holds. So of an order with parked deliveries one is always due, and
    finds the others, whatever dies.
    """

    def __init__(
        self,
        backlogs: OrderBacklogs,
        attempt_runner: AttemptRunner,
        queue_of: QueueOf,
        wake_queues: Callable[[], None],
        recorded: RecordedActions,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self._backlogs = backlogs
        self._attempt_runner = attempt_runner
        self._queue_of = queue_of
        self._wake_queues = wake_queues
        self._recorded = recorded
        self._tasks = tasks
        self._lanes: dict[str, Lane] = {}
        self._followed: dict[str, None] = {}  # in the order in which they came
        self._watchers: dict[int, set[str]] = {}

    def add(self, item: QueuedDelivery) -> None:
        item.queue.add(item.delivery)
        self._recorded.forget(item.delivery.id)
        self._lane(item.delivery.order_id).items.append(item)

    def room(self, order_id: str) -> int:
        """Return how many deliveries of an order its lane can take."""
        lane = self._lanes.get(order_id)
        return LANE_DEPTH if lane is None else max(LANE_DEPTH - len(lane.items), 0)

    def take_parked(self, order_ids: Collection[str]) -> None:
        """Take parked deliveries of these orders out, each when its turn comes."""
        for order_id in order_ids:
            self._lane(order_id).has_parked = True

    @contextmanager
    def watching(self) -> Iterator[set[str]]:
        """Give a set to which the orders are added whose lanes end within the block."""
        ended: set[str] = set()
        self._watchers[id(ended)] = ended
        try:
            yield ended
        finally:
            del self._watchers[id(ended)]

    def follow(self, order_ids: Iterable[str]) -> None:
        """
        Let the lanes of these orders, also those that are still to come, look for parked ones.

        Two actions of an order for two endpoints are met by two queues at the same time: one of
        them parks its delivery behind the other's, which may be on its way to a lane.
        """
        for order_id in order_ids:
            if order_id in self._lanes:
                self._lanes[order_id].has_parked = True
            else:
                self._followed[order_id] = None
        while len(self._followed) > MAX_FOLLOWED:
            del self._followed[next(iter(self._followed))]

    def _lane(self, order_id: str) -> Lane:
        lane = self._lanes.get(order_id)
        if lane is None:
            lane = self._lanes[order_id] = Lane(has_parked=order_id in self._followed)
            self._followed.pop(order_id, None)
            self._tasks.create_task(self._run(order_id, lane))
        return lane

    async def _run(self, order_id: str, lane: Lane) -> None:
        while lane.items or lane.has_parked:
            if lane.has_parked and len(lane.items) <= 1:
                await self._take_next(order_id, lane)
            if lane.items:
                await self._attempt_first(lane)
        del self._lanes[order_id]
        for ended in self._watchers.values():
            ended.add(order_id)

    async def _attempt_first(self, lane: Lane) -> None:
        item = lane.items[0]
        result = await self._attempt_runner.deliver(item)
        lane.items.popleft()
        match result:
            case Retry(at) | HeldBack(datetime() as at):
                item.queue.release(item.delivery, at)
                await self._park_behind(item.delivery, lane)
            case HeldBack():
                item.queue.release(item.delivery)
                self._release_all(lane)
            case _:
                item.queue.release(item.delivery)

    def _release_all(self, lane: Lane) -> None:
        """Empty the lane: the first may be ours again a moment later, and none may overtake it."""
        for item in lane.items:
            item.queue.release(item.delivery)
        lane.items.clear()
        lane.has_parked = False
        self._wake_queues()

    async def _park_behind(self, first: PendingDelivery, lane: Lane) -> None:
        """Park the deliveries that have to wait for *first*, as long as it goes before them."""
        now = self._attempt_runner.clock.now()
        blocked: list[Postponed] = [
            (item.delivery, at)
            for item in lane.items
            if (at := blocked_until(item.delivery, [first], now))
        ]
        await retry_transient(lambda: self._backlogs.park(blocked))
        due_at = {delivery.id: at for delivery, at in blocked}
        for item in [item for item in lane.items if item.delivery.id in due_at]:
            lane.items.remove(item)
            item.queue.release(item.delivery, due_at[item.delivery.id])

    async def _take_next(self, order_id: str, lane: Lane) -> None:
        """Take out the next parked deliveries that may be sent, or see that one of them is due."""
        lane.has_parked = False
        now = self._attempt_runner.clock.now()
        queues = {action: queue for action in ActionName if (queue := self._queue_of(action))}
        found = await retry_transient(lambda: self._backlogs.parked(order_id, queues, now))
        in_lane = {item.delivery.id for item in lane.items}
        others = [delivery for delivery in found.young if delivery.id not in in_lane]
        taken, unparked = self._take(found, free_to_follow(found.deliveries, others, now), queues)
        lane.items.extend(taken)
        await retry_transient(lambda: self._backlogs.unpark(unparked))
        some_are_shut = len(queues) < len(ActionName)
        lane.has_parked |= len(taken) == LANE_DEPTH or (some_are_shut and bool(taken))
        if some_are_shut and not unparked and all(delivery.parked for delivery in others):
            await retry_transient(lambda: self._backlogs.unpark_first(order_id))
            self._wake_queues()

    def _take(
        self,
        found: ParkedDeliveries,
        free: Sequence[PendingDelivery],
        queues: Mapping[ActionName, EndpointQueue],
    ) -> tuple[list[QueuedDelivery], list[PendingDelivery]]:
        """
        Queue as many of *free* as there is space for; return them, and what is to be unparked.

        The first for which there is no space is due as well, so that its queue polls for it.
        """
        taken: list[QueuedDelivery] = []
        for delivery in free:
            queue = queues[delivery.action]
            if not queue.fits(delivery):
                queue.poll_when_released()
                return taken, [*(item.delivery for item in taken), delivery]
            unparked = replace(delivery, parked=False, due_at=delivery.created_at)
            now = self._attempt_runner.clock.now()
            taken.append(QueuedDelivery(unparked, found.bodies[delivery.id], now, queue))
            queue.add(unparked)
            self._recorded.forget(delivery.id)
        return taken, [item.delivery for item in taken]
