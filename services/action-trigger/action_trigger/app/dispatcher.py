"""Sends what is due: concurrently, in order for each order, only under a lease."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from action_trigger.adapters.delivery_store import Deliveries
from action_trigger.adapters.endpoint_state import Gates
from action_trigger.adapters.partition_leases import Leases
from action_trigger.app.delivery_attempt import Courier, HeldBack
from action_trigger.app.endpoint_queue import WINDOW, Hand, Item
from action_trigger.domain.circuit_breaker import CLOSED
from action_trigger.domain.delivery import Head
from action_trigger.domain.ordering import wait_for_turn
from action_trigger.domain.webhooks import PATIENCE, Retry, deadline
from order_runtime.process.logs import log
from order_runtime.process.retry import patiently

LONGEST_SLEEP: Final = timedelta(seconds=30)
GIVEN_UP: Final = (
    f"No success in {PATIENCE // timedelta(hours=1)} hours: the endpoint takes nothing."
)


class Dispatcher:
    """
    One hand for each endpoint, one lane for each order.

    What is in hand is known in memory alone: the lease keeps others from taking it, and after a
    crash it is simply still due.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        leases: Leases,
        gates: Gates,
        hands: Sequence[Hand],
        courier: Courier,
    ) -> None:
        self._deliveries = deliveries
        self._leases = leases
        self._gates = gates
        self._hands = hands
        self._courier = courier
        self._lanes: dict[str, deque[Item]] = {}
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Send until *stop*; what is in flight then is still answered and recorded."""
        async with asyncio.TaskGroup() as tasks:
            for hand in self._hands:
                tasks.create_task(self._serve(hand, tasks))
            await stop.wait()
            self._stopping = True
            self._courier.stop()
            self.wake()

    def wake(self) -> None:
        """Look for what is due now: something was recorded, or a lease was taken."""
        for hand in self._hands:
            hand.wake()

    def moved(self, names: Iterable[str]) -> None:
        """Look again: an operator opened or shut these endpoints, or replayed something."""
        for hand in self._hands:
            if hand.name in names:
                hand.circuit = CLOSED
                hand.wake()

    async def _serve(self, hand: Hand, tasks: asyncio.TaskGroup) -> None:
        while not self._stopping:
            hand.start_looking()
            until = await self._fill(hand, tasks)
            await hand.sleep(until, self._courier.now())

    async def _fill(self, hand: Hand, tasks: asyncio.TaskGroup) -> datetime:
        """Take into hand what is due and whose turn it is; return when to look again."""
        now = self._courier.now()
        if not hand.actions or not self._gates.is_open(hand.name):
            return now + LONGEST_SLEEP
        partitions = self._leases.held(hand.sender.timeout_seconds)
        if not partitions or not hand.has_room:
            hand.more = True  # perhaps: what leaves the hand will have us look
            return now + LONGEST_SLEEP
        queue = await patiently(lambda: self._deliveries.queue(partitions, hand.actions, WINDOW))
        now = self._courier.now()
        if shut_until := hand.circuit.waits_until(now):
            await self._give_up(queue, hand, now)
            return shut_until
        hand.more = len(queue) == WINDOW and queue[-1].due_at <= now
        fresh = [head for head in hand.fresh(queue, now) if not self._held(head)]
        later = await self._admit(fresh, hand, tasks) if fresh else []
        if hand.more and hand.has_room and not hand.circuit.is_open:
            return now
        ahead = [head.due_at for head in queue if head.due_at > now]
        return min([*ahead, *later, now + LONGEST_SLEEP])

    def _held(self, head: Head) -> bool:
        return any(hand.holds(head) for hand in self._hands)

    async def _give_up(self, queue: Sequence[Head], hand: Hand, now: datetime) -> None:
        """End what waited behind an open circuit until its time was over."""
        since = self._gates.since(hand.name)
        over = [
            head
            for head in queue
            if deadline(head.started_at, since) < now and not self._held(head)
        ]
        if over:
            await patiently(lambda: self._deliveries.give_up(over, GIVEN_UP, now))
            log().warning("actions given up", endpoint=hand.name, count=len(over))
            self._courier.settled()

    async def _admit(
        self, fresh: Sequence[Head], hand: Hand, tasks: asyncio.TaskGroup
    ) -> list[datetime]:
        """Put deliveries into their lanes; return when those come back whose turn it isn't."""
        orders = {head.order_id for head in fresh}
        pending, bodies = await asyncio.gather(
            patiently(lambda: self._deliveries.pending_of(orders)),
            patiently(lambda: self._deliveries.bodies([head.id for head in fresh])),
        )
        now, known = self._courier.now(), {head.id for head in fresh}
        others: dict[str, list[Head]] = {}
        for head in pending:
            if head.id not in known and not self._held(head):
                others.setdefault(head.order_id, []).append(head)
        postponed: list[tuple[Head, datetime]] = []
        for head in sorted(fresh, key=lambda head: (head.partition, head.offset)):
            if at := wait_for_turn(head, others.get(head.order_id, ()), now):
                postponed.append((head, at))
            elif head.id in bodies:
                self._line_up(Item(head, bodies[head.id], now, hand), tasks)
        await patiently(lambda: self._deliveries.postpone(postponed))
        return [at for _, at in postponed]

    def _line_up(self, item: Item, tasks: asyncio.TaskGroup) -> None:
        item.hand.take(item.head)
        lane = self._lanes.get(item.head.order_id)
        if lane is None:
            lane = self._lanes[item.head.order_id] = deque()
            tasks.create_task(self._run(item.head.order_id, lane))
        lane.append(item)

    async def _run(self, order_id: str, lane: deque[Item]) -> None:
        """Send an order's deliveries one after the other."""
        while lane:
            item = lane[0]
            result = await self._courier.deliver(item)
            lane.popleft()
            item.hand.let_go(item.head)
            match result:
                case Retry(at) | HeldBack(datetime() as at):
                    item.hand.due(at)
                    await self._step_back(lane, replace(item.head, due_at=at))
                case HeldBack():
                    self._leave(lane)
        del self._lanes[order_id]

    def _leave(self, lane: deque[Item]) -> None:
        """Let go of all: none may overtake the first, should it be ours again a moment later."""
        for item in lane:
            item.hand.let_go(item.head)
        lane.clear()
        self.wake()

    async def _step_back(self, lane: deque[Item], first: Head) -> None:
        """Let those that came after *first* wait with it, while it is young."""
        now = self._courier.now()
        waiting = [(item, wait_for_turn(item.head, (first,), now)) for item in lane]
        postponed = [(item, at) for item, at in waiting if at is not None]
        for item, at in postponed:
            lane.remove(item)
            item.hand.let_go(item.head)
            item.hand.due(at)
        await patiently(
            lambda: self._deliveries.postpone([(item.head, at) for item, at in postponed])
        )
