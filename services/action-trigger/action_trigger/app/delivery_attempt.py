"""Carries one webhook: asks whether it may still go, sends it, records what came back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from action_trigger import metrics
from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.adapters.endpoint_state import EndpointStates
from action_trigger.adapters.partition_leases import PartitionLeases
from action_trigger.app.endpoint_queue import QueuedDelivery
from action_trigger.app.group_commit import GroupCommit
from action_trigger.domain.delivery import Attempt
from action_trigger.domain.webhooks import (
    Answer,
    AttemptOutcome,
    Delivered,
    Disabled,
    Failed,
    attempt_outcome,
    deadline,
    is_retryable,
)
from order_runtime.process.logs import log
from order_runtime.process.retry import retry_transient

FRESH: Final = timedelta(seconds=2)  # what is longer in hand may have been erased meanwhile
DISABLED_RECHECK: Final = timedelta(
    seconds=30
)  # until a shut endpoint's next delivery is looked at again


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and luck, from outside."""

    now: Callable[[], datetime]
    draw: Callable[[], float]
    """A number in [0, 1)."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Not sent: it waits as it is, at least until *at*; None where it isn't ours any more."""

    at: datetime | None = None


class ContactErased:
    """Not sent: its contact was erased while it was in hand."""


class AttemptRunner:
    def __init__(
        self,
        deliveries: DeliveryStore,
        leases: PartitionLeases,
        endpoint_states: EndpointStates,
        chance: Clock,
        settled: Callable[[], None],
    ) -> None:
        self._deliveries = deliveries
        self._leases = leases
        self._endpoint_states = endpoint_states
        self._clock = chance
        self.now = chance.now
        self.settled = settled
        self._in_flight: Counter[int] = Counter()
        self._attempts = GroupCommit[Attempt](
            lambda batch: retry_transient(lambda: deliveries.attempted(batch))
        )
        self._stopping = False

    def stop(self) -> None:
        """Begin nothing any more."""
        self._stopping = True

    def busy(self) -> Collection[int]:
        """Return the partitions that have a request in flight."""
        return self._in_flight.keys()

    async def deliver(self, item: QueuedDelivery) -> AttemptOutcome | HeldBack | ContactErased:
        """Send once and record it, unless something speaks against it."""
        queue = item.queue
        async with queue.slots:
            await queue.rate_limiter.keep(lambda: self._objection(item) is None)
            if self.now() - item.taken_at > FRESH and not await self._still_there(item):
                return ContactErased()
            if objection := self._objection(item):
                return objection
            attempt = await self._send_and_record(item)
        try:
            if isinstance(attempt.outcome, Disabled):
                await self._endpoint_states.shut(queue.name, attempt.at)
            await self._attempts.add(attempt)
        finally:
            self._request_ended(item)
        self._tell(attempt)
        return attempt.outcome

    def _objection(self, item: QueuedDelivery) -> HeldBack | None:
        queue, now = item.queue, self.now()
        if self._stopping or item.delivery.action not in queue.actions:
            return HeldBack()
        if not self._leases.covers(item.delivery.partition, queue.sender.timeout_seconds):
            return HeldBack()
        if not self._endpoint_states.is_open(queue.name):
            return HeldBack(now + DISABLED_RECHECK)
        shut_until = queue.circuit.waits_until(now)
        return HeldBack(shut_until) if shut_until else None

    async def _still_there(self, item: QueuedDelivery) -> bool:
        return bool(await retry_transient(lambda: self._deliveries.bodies([item.delivery.id])))

    async def _send_and_record(self, item: QueuedDelivery) -> Attempt:
        self._in_flight[item.delivery.partition] += 1
        item.queue.in_flight += 1
        with metrics.IN_FLIGHT.track_inprogress():
            attempt = await self._send(item)
        item.queue.in_flight -= 1
        alive = attempt.status is not None and not is_retryable(attempt.status)
        item.queue.circuit = item.queue.circuit.after(success=alive, now=self.now())
        return attempt

    async def _send(self, item: QueuedDelivery) -> Attempt:
        delivery = item.delivery
        began, clock = self.now(), asyncio.get_running_loop().time
        start = clock()
        reply = await item.queue.sender.send(delivery.id, item.body, began)
        took = timedelta(seconds=clock() - start)
        metrics.ATTEMPT_SECONDS.observe(took.total_seconds())
        return Attempt(
            delivery=delivery,
            at=began,
            duration=took,
            outcome=attempt_outcome(
                reply.answer,
                attempt=delivery.scheduled + 1,
                last=deadline(delivery.started_at, self._endpoint_states.since(item.queue.name)),
                now=self.now(),
                chance=self._clock.draw(),
            ),
            status=reply.answer.status if isinstance(reply.answer, Answer) else None,
            answer=reply.glance if isinstance(reply.answer, Answer) else reply.answer.why,
        )

    def _request_ended(self, item: QueuedDelivery) -> None:
        partition = item.delivery.partition
        self._in_flight[partition] -= 1
        if not self._in_flight[partition]:
            del self._in_flight[partition]

    def _tell(self, attempt: Attempt) -> None:
        result = attempt.outcome
        metrics.ATTEMPTS.labels(type(result).__name__.lower()).inc()
        if isinstance(result, Delivered):
            waited = attempt.at + attempt.duration - attempt.delivery.created_at
            metrics.DELIVERED_SECONDS.observe(waited.total_seconds())
        if isinstance(result, Failed):
            log().warning("action failed", action_id=attempt.delivery.id, reason=result.reason)
        if isinstance(result, Disabled):
            log().warning("endpoint is gone", action_id=attempt.delivery.id)
        if isinstance(result, Delivered | Failed):
            self.settled()
