"""Sends what is due: concurrently, in order for each order, only under a lease, and records it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from action_trigger import metrics
from action_trigger.batching import Batched
from action_trigger.deliveries import Deliveries
from action_trigger.delivery import Attempt, Head
from action_trigger.hand import WINDOW, Hand, Item
from action_trigger.leases import Leases
from action_trigger.turns import wait_for_turn
from action_trigger.webhooks import Answer, Delivered, Disabled, Failed, Outcome, Retry, outcome
from order_runtime.logs import log
from order_runtime.patience import patiently

LONGEST_SLEEP: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Chance:
    """Time and luck, from outside."""

    now: Callable[[], datetime]
    draw: Callable[[], float]
    """A number in [0, 1)."""


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
        hands: Sequence[Hand],
        chance: Chance,
        settled: Callable[[], None],
    ) -> None:
        self._deliveries = deliveries
        self._leases = leases
        self._hands = hands
        self._chance = chance
        self._settled = settled
        self._lanes: dict[str, deque[Item]] = {}
        self._in_flight: Counter[int] = Counter()
        self._attempts = Batched[Attempt](
            lambda batch: patiently(lambda: deliveries.attempted(batch))
        )
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Send until *stop*; what is in flight then is still answered and recorded."""
        async with asyncio.TaskGroup() as tasks:
            for hand in self._hands:
                tasks.create_task(self._serve(hand, tasks))
            await stop.wait()
            self._stopping = True
            self.wake()

    def wake(self) -> None:
        """Look for what is due now: something was recorded, or a lease was taken."""
        for hand in self._hands:
            hand.wake()

    def busy(self) -> Collection[int]:
        """Return the partitions that have a request in flight."""
        return self._in_flight.keys()

    async def _serve(self, hand: Hand, tasks: asyncio.TaskGroup) -> None:
        while not self._stopping:
            hand.start_looking()
            until = await self._fill(hand, tasks)
            await hand.sleep(until, self._chance.now())

    async def _fill(self, hand: Hand, tasks: asyncio.TaskGroup) -> datetime:
        """Take into hand what is due and whose turn it is; return when to look again."""
        partitions = self._leases.held(hand.sender.timeout_seconds)
        if not partitions or not hand.has_room:
            hand.more = True  # perhaps: what leaves the hand will have us look
            return self._chance.now() + LONGEST_SLEEP
        queue = await patiently(lambda: self._deliveries.queue(partitions, hand.actions, WINDOW))
        now = self._chance.now()
        hand.more = len(queue) == WINDOW and queue[-1].due_at <= now
        fresh = hand.fresh(queue, now)
        later = await self._admit(fresh, hand, tasks) if fresh else []
        if hand.more and hand.has_room:
            return now
        ahead = [head.due_at for head in queue if head.due_at > now]
        return min([*ahead, *later, now + LONGEST_SLEEP])

    async def _admit(
        self, fresh: Sequence[Head], hand: Hand, tasks: asyncio.TaskGroup
    ) -> list[datetime]:
        """Put deliveries into their lanes; return when those come back whose turn it isn't."""
        orders = {head.order_id for head in fresh}
        pending, bodies = await asyncio.gather(
            patiently(lambda: self._deliveries.pending_of(orders)),
            patiently(lambda: self._deliveries.bodies([head.id for head in fresh])),
        )
        now, known = self._chance.now(), {head.id for head in fresh}
        others: dict[str, list[Head]] = {}
        for head in pending:
            if head.id not in known and not any(other.holds(head) for other in self._hands):
                others.setdefault(head.order_id, []).append(head)
        postponed: list[tuple[Head, datetime]] = []
        for head in sorted(fresh, key=lambda head: (head.partition, head.offset)):
            if at := wait_for_turn(head, others.get(head.order_id, ()), now):
                postponed.append((head, at))
            elif head.id in bodies:
                self._line_up(Item(head, bodies[head.id], hand), tasks)
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
            result = await self._deliver(item)
            lane.popleft()
            item.hand.let_go(item.head)
            if isinstance(result, Retry):
                item.hand.due(result.at)
                await self._step_back(lane, replace(item.head, due_at=result.at))
        del self._lanes[order_id]

    async def _step_back(self, lane: deque[Item], first: Head) -> None:
        """Let those that came after *first* wait with it, while it is young."""
        now = self._chance.now()
        waiting = [(item, wait_for_turn(item.head, (first,), now)) for item in lane]
        postponed = [(item, at) for item, at in waiting if at is not None]
        for item, at in postponed:
            lane.remove(item)
            item.hand.let_go(item.head)
            item.hand.due(at)
        await patiently(
            lambda: self._deliveries.postpone([(item.head, at) for item, at in postponed])
        )

    async def _deliver(self, item: Item) -> Outcome | None:
        """Send once and record it; None where it is no longer ours to send."""
        hand, partition = item.hand, item.head.partition
        async with hand.slots:
            if self._stopping or not self._leases.covers(partition, hand.sender.timeout_seconds):
                return None
            self._in_flight[partition] += 1
            attempt = await self._send(item)
        try:
            await self._attempts.add(attempt)
        finally:
            self._landed(partition)
        self._tell(attempt)
        return attempt.outcome

    async def _send(self, item: Item) -> Attempt:
        head = item.head
        began, clock = self._chance.now(), asyncio.get_running_loop().time
        start = clock()
        with metrics.IN_FLIGHT.track_inprogress():
            reply = await item.hand.sender.send(head.id, item.body, began)
        took = timedelta(seconds=clock() - start)
        metrics.ATTEMPT_SECONDS.observe(took.total_seconds())
        return Attempt(
            head=head,
            at=began,
            duration=took,
            outcome=outcome(
                reply.answer,
                attempt=head.scheduled + 1,
                now=self._chance.now(),
                chance=self._chance.draw(),
            ),
            status=reply.answer.status if isinstance(reply.answer, Answer) else None,
            answer=reply.glance if isinstance(reply.answer, Answer) else reply.answer.why,
        )

    def _landed(self, partition: int) -> None:
        self._in_flight[partition] -= 1
        if not self._in_flight[partition]:
            del self._in_flight[partition]

    def _tell(self, attempt: Attempt) -> None:
        result = attempt.outcome
        metrics.ATTEMPTS.labels(type(result).__name__.lower()).inc()
        if isinstance(result, Delivered):
            waited = attempt.at + attempt.duration - attempt.head.created_at
            metrics.DELIVERED_SECONDS.observe(waited.total_seconds())
        if isinstance(result, Failed):
            log().warning("action failed", action_id=attempt.head.id, reason=result.reason)
        if isinstance(result, Disabled):
            log().warning("endpoint is gone", action_id=attempt.head.id)
        if isinstance(result, Delivered | Failed):
            self._settled()
