"""Which of the deliveries that are due get into the lanes of their orders, and which wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from action_trigger.adapters.delivery_documents import recorded_delivery
from action_trigger.adapters.delivery_store import DeliveryStore
from action_trigger.adapters.order_backlogs import OrderBacklogs
from action_trigger.app.delivery_attempt import Clock
from action_trigger.app.endpoint_queue import EndpointQueue, QueuedDelivery
from action_trigger.app.order_lanes import OrderLanes
from action_trigger.app.recorded_actions import RecordedAction
from action_trigger.domain.delivery import PendingDelivery
from action_trigger.domain.ordering import (
    Backlog,
    Postponed,
    first_of_each_order,
    parked_until,
    split_by_turn,
)
from order_runtime.process.retry import retry_transient

Content = tuple[str, datetime]
"""The body of a webhook, and the time of which it is."""


class OrderTurns:
    """Lets deliveries in by the space of their queue and by their order's turn."""

    def __init__(
        self,
        deliveries: DeliveryStore,
        backlogs: OrderBacklogs,
        queues: Sequence[EndpointQueue],
        lanes: OrderLanes,
        clock: Clock,
    ) -> None:
        self._deliveries = deliveries
        self._backlogs = backlogs
        self._queues = queues
        self._lanes = lanes
        self._clock = clock

    async def admit_recorded(
        self, recorded: Sequence[RecordedAction], queue: EndpointQueue
    ) -> list[datetime]:
        """Do what `admit` does with what is in memory."""
        pending: list[PendingDelivery] = []
        known: dict[str, Content] = {}
        for it in recorded:
            if (found := recorded_delivery(it.action, it.created_at)) is not None:
                delivery, body = found
                pending.append(delivery)
                known[delivery.id] = body, it.expected_at
        return await self.admit(pending, queue, page_full=False, known=known)

    async def admit(
        self,
        waiting: Sequence[PendingDelivery],
        queue: EndpointQueue,
        *,
        page_full: bool,
        known: Mapping[str, Content] = MappingProxyType({}),
    ) -> list[datetime]:
        """Add the first of each order to its lane, and park the others; return when to poll."""
        now, probing = self._clock.now(), queue.client.circuit_is_open
        new = [delivery for delivery in waiting if queue.is_new(delivery)]
        parked = [delivery for delivery in new if delivery.parked]
        unparked = (delivery for delivery in new if not delivery.parked)
        first, behind = first_of_each_order(unparked, self._lanes.room)
        selected = queue.select(first, page_full=page_full)
        # While an endpoint is probed, none of the others is taken out.
        come_later = parked if probing else [*behind, *parked]
        with self._lanes.watching() as ended:
            backlogs, contents = await self._read(selected, now, known)
            ready, postponed = split_by_turn(
                selected, backlogs, self.is_queued, now, probing=probing
            )
            await self._park(postponed, come_later, now)
        # One that was under way may have ended meanwhile: those behind it are read again.
        ready, behind_it = split_by_turn(ready, backlogs, self.is_queued, now, probing=probing)
        self._add(ready, contents, queue)
        behind_others = _orders(delivery for delivery, _ in postponed)
        self._lanes.follow(behind_others)
        # Where a lane has ended since, what it held was sent before these were parked behind it.
        with_parked = {order_id for order_id, it in backlogs.items() if it.has_parked}
        self._lanes.take_parked(_orders(come_later) | with_parked | (behind_others & ended))
        return [now] if behind_it else [at for _, at in postponed]

    def is_queued(self, delivery: PendingDelivery) -> bool:
        """Look in all queues: a new webhooks file may have given the action another endpoint."""
        return any(queue.contains(delivery) for queue in self._queues)

    async def _read(
        self,
        selected: Sequence[PendingDelivery],
        now: datetime,
        known: Mapping[str, Content],
    ) -> tuple[dict[str, Backlog], dict[str, Content]]:
        """Return what else their orders have, and the content of their webhooks."""
        if not selected:
            return {}, {}
        ids = [delivery.id for delivery in selected if delivery.id not in known]
        backlogs, bodies = await asyncio.gather(
            retry_transient(lambda: self._backlogs.of_orders(_orders(selected), now)),
            retry_transient(lambda: self._deliveries.bodies(ids)),
        )
        return backlogs, {**known, **{identity: (body, now) for identity, body in bodies.items()}}

    async def _park(
        self, postponed: Sequence[Postponed], come_later: Sequence[PendingDelivery], now: datetime
    ) -> None:
        again = [(delivery, parked_until(delivery, now)) for delivery in come_later]
        await retry_transient(lambda: self._backlogs.park([*postponed, *again]))

    def _add(
        self,
        ready: Sequence[PendingDelivery],
        contents: Mapping[str, Content],
        queue: EndpointQueue,
    ) -> None:
        for delivery in ready:
            # Without content its contact was erased meanwhile, or it can't be read.
            if delivery.id in contents and queue.is_new(delivery) and not self.is_queued(delivery):
                self._lanes.add(QueuedDelivery(delivery, *contents[delivery.id], queue))


def _orders(deliveries: Iterable[PendingDelivery]) -> set[str]:
    return {delivery.order_id for delivery in deliveries}
