"""One attempt at a delivery: checks that it may be sent, sends it, records the outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from action_trigger import metrics
from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.adapters.endpoint_state import EndpointStates
from action_trigger.adapters.http_sender import SendResult
from action_trigger.adapters.partition_leases import PartitionLeases
from action_trigger.app.delivery_spans import AttemptSpans
from action_trigger.app.endpoint_queue import QueuedDelivery
from action_trigger.app.group_commit import GroupCommit
from action_trigger.domain.delivery import Attempt, PendingDelivery
from action_trigger.domain.retry_policy import (
    GIVEN_UP,
    AttemptOutcome,
    Delivered,
    Disabled,
    Failed,
    Response,
    attempt_outcome,
    retry_deadline,
)
from action_trigger.log_events import ACTION_FAILED, ACTIONS_GIVEN_UP, ENDPOINT_IS_GONE
from order_runtime.observability.tracing import Tracing
from order_runtime.process.logs import log, trace_fields
from order_runtime.process.retry import retry_transient

ERASURE_RECHECK: Final = timedelta(seconds=2)
"""What was read or recorded longer ago may have been erased meanwhile, and is looked up again."""
DISABLED_RECHECK: Final = timedelta(seconds=30)
"""How long a delivery is held back when its endpoint is disabled or paused."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and randomness."""

    now: Callable[[], datetime]
    random: Callable[[], float]
    """Returns a number in [0, 1)."""


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Not sent, and not changed in the database."""

    until: datetime | None = None
    """The earliest time for another try; None where another worker may have the delivery now."""


class ContactErased:
    """Not sent: its contact was erased while it was queued."""


class AttemptRunner:
    def __init__(
        self,
        deliveries: DeliveryStore,
        leases: PartitionLeases,
        endpoint_states: EndpointStates,
        clock: Clock,
        delivery_ended: Callable[[], None],
        tracing: Tracing | None = None,
    ) -> None:
        self._deliveries = deliveries
        self._leases = leases
        self._endpoint_states = endpoint_states
        self.clock = clock
        self._delivery_ended = delivery_ended
        self._spans = AttemptSpans(tracing)
        self._in_flight: Counter[int] = Counter()
        self._attempts = GroupCommit[Attempt](
            lambda batch: retry_transient(lambda: deliveries.attempted(batch))
        )
        self._stopping = False

    def stop(self) -> None:
        """Start no further request."""
        self._stopping = True

    def busy(self) -> Collection[int]:
        """Return the partitions with a request in flight or not recorded yet."""
        return self._in_flight.keys()

    async def deliver(self, item: QueuedDelivery) -> AttemptOutcome | HeldBack | ContactErased:
        """Return once the attempt is recorded, or is known not to be made."""
        async with item.queue.client.slot(wanted=lambda: self._hold_back(item) is None):
            if await self._was_erased(item):
                return ContactErased()
            if held_back := self._hold_back(item):
                return held_back
            self._in_flight[item.delivery.partition] += 1
            attempt = await self._send(item)
        try:
            if isinstance(attempt.outcome, Disabled):
                await self._endpoint_states.disable(item.queue.name, attempt.at)
            await self._attempts.add(attempt)
        finally:
            self._request_ended(item.delivery.partition)
        self._report(attempt, item.queue.name)
        return attempt.outcome

    async def give_up_overdue(
        self, waiting: Sequence[PendingDelivery], endpoint: str, now: datetime
    ) -> None:
        """End, without an attempt, what waited behind an open circuit until its deadline."""
        overdue = [item for item in waiting if self._deadline(item, endpoint) < now]
        if overdue:
            await retry_transient(lambda: self._deliveries.give_up(overdue, GIVEN_UP, now))
            log().warning(ACTIONS_GIVEN_UP, endpoint=endpoint, count=len(overdue))
            self._delivery_ended()

    async def _was_erased(self, item: QueuedDelivery) -> bool:
        if self.clock.now() - item.as_of <= ERASURE_RECHECK:
            return False
        return not await retry_transient(lambda: self._deliveries.is_pending(item.delivery.id))

    def _hold_back(self, item: QueuedDelivery) -> HeldBack | None:
        queue, now = item.queue, self.clock.now()
        if self._stopping or item.delivery.action not in queue.actions:
            return HeldBack()
        if not self._leases.covers(item.delivery.partition, queue.client.timeout_seconds):
            return HeldBack()
        if not self._endpoint_states.is_enabled(queue.name):
            return HeldBack(now + DISABLED_RECHECK)
        probe_at = queue.client.circuit_blocks_until(now)
        return HeldBack(probe_at) if probe_at else None

    async def _send(self, item: QueuedDelivery) -> Attempt:
        delivery = item.delivery
        span = self._spans.begin(delivery)
        traceparent = self._spans.header(span, delivery)
        result = await item.queue.client.send(delivery.id, item.body, self.clock.now, traceparent)
        self._spans.end(span, delivery, item.queue.name, result.response)
        outcome = attempt_outcome(
            result.response,
            attempt=delivery.scheduled + 1,
            deadline=self._deadline(delivery, item.queue.name),
            now=self.clock.now(),
            random=self.clock.random(),
        )
        return _attempt(delivery, result, outcome)

    def _deadline(self, delivery: PendingDelivery, endpoint: str) -> datetime:
        return retry_deadline(delivery.started_at, self._endpoint_states.changed_at(endpoint))

    def _request_ended(self, partition: int) -> None:
        self._in_flight[partition] -= 1
        if not self._in_flight[partition]:
            del self._in_flight[partition]

    def _report(self, attempt: Attempt, endpoint: str) -> None:
        delivery, outcome = attempt.delivery, attempt.outcome
        about = {"action_id": delivery.id, **trace_fields(delivery.traceparent)}
        metrics.ATTEMPTS.labels(endpoint, type(outcome).__name__.lower()).inc()
        if attempt.delivery.scheduled == 0 and not _was_replayed(attempt.delivery):
            metrics.FIRST_ATTEMPTS.inc()
        match outcome:
            case Delivered():
                _observe_delivery(attempt)
                self._delivery_ended()
            case Failed(reason):
                log().warning(ACTION_FAILED, **about, endpoint=endpoint, reason=reason)
                self._delivery_ended()
            case Disabled():
                log().warning(ENDPOINT_IS_GONE, **about, endpoint=endpoint)


def _observe_delivery(attempt: Attempt) -> None:
    """Observe how long a delivery took; not of one that was replayed, which an operator delayed."""
    delivery, at = attempt.delivery, attempt.at + attempt.duration
    if _was_replayed(delivery):
        return
    fired_at = delivery.fired_at or delivery.created_at
    metrics.DELIVERED_SECONDS.observe((at - fired_at).total_seconds())
    if delivery.accepted_at is not None:
        metrics.ORDER_TO_WEBHOOK_SECONDS.observe((at - delivery.accepted_at).total_seconds())


def _was_replayed(delivery: PendingDelivery) -> bool:
    return delivery.started_at != delivery.created_at


def _attempt(delivery: PendingDelivery, result: SendResult, outcome: AttemptOutcome) -> Attempt:
    return Attempt(
        delivery=delivery,
        at=result.sent_at,
        duration=result.duration,
        outcome=outcome,
        status=result.response.status if isinstance(result.response, Response) else None,
        excerpt=result.excerpt,
    )
