"""Carries one webhook: asks whether it may still go, sends it, records what came back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from action_trigger import metrics
from action_trigger.adapters.delivery_store import Deliveries
from action_trigger.adapters.endpoint_state import Gates
from action_trigger.adapters.partition_leases import Leases
from action_trigger.app.endpoint_queue import Item
from action_trigger.app.group_commit import Batched
from action_trigger.domain.delivery import Attempt
from action_trigger.domain.webhooks import (
    Answer,
    Delivered,
    Disabled,
    Failed,
    Outcome,
    deadline,
    outcome,
    passing,
)
from order_runtime.process.logs import log
from order_runtime.process.retry import patiently

FRESH: Final = timedelta(seconds=2)  # what is longer in hand may have been erased meanwhile
SHUT: Final = timedelta(seconds=30)  # until a shut endpoint's next delivery is looked at again


@dataclass(frozen=True, slots=True)
class Chance:
    """Time and luck, from outside."""

    now: Callable[[], datetime]
    draw: Callable[[], float]
    """A number in [0, 1)."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Not sent: it waits as it is, at least until *at*; None where it isn't ours any more."""

    at: datetime | None = None


class Gone:
    """Not sent: its contact was erased while it was in hand."""


class Courier:
    def __init__(
        self,
        deliveries: Deliveries,
        leases: Leases,
        gates: Gates,
        chance: Chance,
        settled: Callable[[], None],
    ) -> None:
        self._deliveries = deliveries
        self._leases = leases
        self._gates = gates
        self._chance = chance
        self.now = chance.now
        self.settled = settled
        self._in_flight: Counter[int] = Counter()
        self._attempts = Batched[Attempt](
            lambda batch: patiently(lambda: deliveries.attempted(batch))
        )
        self._stopping = False

    def stop(self) -> None:
        """Begin nothing any more."""
        self._stopping = True

    def busy(self) -> Collection[int]:
        """Return the partitions that have a request in flight."""
        return self._in_flight.keys()

    async def deliver(self, item: Item) -> Outcome | HeldBack | Gone:
        """Send once and record it, unless something speaks against it."""
        hand = item.hand
        async with hand.slots:
            await hand.pace.keep(lambda: self._objection(item) is None)
            if self.now() - item.taken_at > FRESH and not await self._still_there(item):
                return Gone()
            if objection := self._objection(item):
                return objection
            attempt = await self._fly(item)
        try:
            if isinstance(attempt.outcome, Disabled):
                await self._gates.shut(hand.name, attempt.at)
            await self._attempts.add(attempt)
        finally:
            self._landed(item)
        self._tell(attempt)
        return attempt.outcome

    def _objection(self, item: Item) -> HeldBack | None:
        hand, now = item.hand, self.now()
        if self._stopping or item.head.action not in hand.actions:
            return HeldBack()
        if not self._leases.covers(item.head.partition, hand.sender.timeout_seconds):
            return HeldBack()
        if not self._gates.is_open(hand.name):
            return HeldBack(now + SHUT)
        shut_until = hand.circuit.waits_until(now)
        return HeldBack(shut_until) if shut_until else None

    async def _still_there(self, item: Item) -> bool:
        return bool(await patiently(lambda: self._deliveries.bodies([item.head.id])))

    async def _fly(self, item: Item) -> Attempt:
        self._in_flight[item.head.partition] += 1
        item.hand.in_flight += 1
        with metrics.IN_FLIGHT.track_inprogress():
            attempt = await self._send(item)
        item.hand.in_flight -= 1
        alive = attempt.status is not None and not passing(attempt.status)
        item.hand.circuit = item.hand.circuit.after(success=alive, now=self.now())
        return attempt

    async def _send(self, item: Item) -> Attempt:
        head = item.head
        began, clock = self.now(), asyncio.get_running_loop().time
        start = clock()
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
                last=deadline(head.started_at, self._gates.since(item.hand.name)),
                now=self.now(),
                chance=self._chance.draw(),
            ),
            status=reply.answer.status if isinstance(reply.answer, Answer) else None,
            answer=reply.glance if isinstance(reply.answer, Answer) else reply.answer.why,
        )

    def _landed(self, item: Item) -> None:
        partition = item.head.partition
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
            self.settled()
