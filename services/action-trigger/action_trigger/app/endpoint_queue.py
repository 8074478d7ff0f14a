"""The deliveries to one endpoint that are in memory, and when the database is polled for more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from action_trigger.adapters.http_sender import HttpSender
from action_trigger.app.endpoint_client import EndpointClient
from action_trigger.domain.delivery import PendingDelivery
from order_contracts.order import ActionName

MAX_QUEUED: Final = 512  # deliveries; more than in flight, since recording an attempt takes a while
MAX_QUEUED_BYTES: Final = 32 * 1024 * 1024  # of the messages of all queued deliveries


@dataclass(frozen=True, slots=True)
class QueuedDelivery:
    delivery: PendingDelivery
    body: str
    as_of: datetime
    """When its content was read or recorded; its contact may have been erased since."""
    queue: EndpointQueue


class EndpointQueue:
    """
    Bounded in number and size, so that it fits in memory.

    While the circuit is open there is space for one delivery at a time, the probe.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.actions: tuple[ActionName, ...] = ()
        """Those that go to this endpoint; none where the webhooks file doesn't name it."""
        self.client = EndpointClient(name, circuit_changed=self.wake)
        self._queued: dict[str, PendingDelivery] = {}  # by id
        self._total_size = 0
        self._released: set[str] = set()  # since the current poll began
        self._more_stored = False  # whether the last poll left due deliveries in the database
        self._woken = asyncio.Event()
        self._to_be_read = True  # by the next poll
        self._reads = True  # the current poll
        self._next_poll: datetime | None = None  # None while polling
        self.next_read: datetime | None = None
        """When the database is to be read again, unless it is before."""

    def configure(self, sender: HttpSender | None, actions: tuple[ActionName, ...]) -> None:
        """Replace the sender and the actions; what is in flight ends with the previous sender."""
        self.actions = actions
        self.client.replace_sender(sender)
        self.wake()

    def reset(self) -> None:
        """Close the circuit and poll now: an operator changed the endpoint."""
        self.client.close_circuit()
        self.wake()

    async def run(
        self,
        poll: Callable[[EndpointQueue], Awaitable[datetime]],
        now: Callable[[], datetime],
        stop: asyncio.Event,
    ) -> None:
        """Call *poll* until *stop*: when it said it wants to be called next, or once woken."""
        while not stop.is_set():
            self._begin_poll()
            next_poll = await poll(self)
            await self._sleep(next_poll, now())

    def _begin_poll(self) -> None:
        """Forget earlier releases: only what is released during a poll may look pending in it."""
        self._released.clear()
        self._woken.clear()
        self._next_poll = None
        self._reads, self._to_be_read = self._to_be_read, False

    async def _sleep(self, until: datetime, now: datetime) -> None:
        self._next_poll = self.next_read = until
        self._to_be_read |= until <= now
        try:
            async with asyncio.timeout(max((until - now).total_seconds(), 0)):
                await self._woken.wait()
        except TimeoutError:
            self._to_be_read = True

    def wake(self) -> None:
        """Poll the database now, or once more if a poll is under way."""
        self._to_be_read = True
        self._woken.set()

    def notify(self) -> None:
        """Poll now for what is in memory: the database has nothing else that is new."""
        self._woken.set()

    @property
    def reads(self) -> bool:
        """Whether the current poll has to read the database, which may have more that is due."""
        return self._reads or self._more_stored or self.client.circuit_is_open

    @property
    def has_space(self) -> bool:
        """Whether polling is worthwhile: the queue is half empty, or the next probe may start."""
        if self.client.circuit_is_open:
            return self.client.is_idle
        return len(self._queued) <= MAX_QUEUED // 2 and self._total_size <= MAX_QUEUED_BYTES // 2

    @property
    def wants_more(self) -> bool:
        """Whether due deliveries are left in the database although there is space for them."""
        return self._more_stored and self.has_space and not self.client.circuit_is_open

    @property
    def space(self) -> int:
        """How many more deliveries fit in number."""
        return MAX_QUEUED - len(self._queued)

    def partitions(self) -> Counter[int]:
        """Return how many deliveries of each partition are queued."""
        return Counter(delivery.partition for delivery in self._queued.values())

    def poll_when_released(self) -> None:
        """Poll once a release has made space."""
        self._more_stored = True

    def is_new(self, delivery: PendingDelivery) -> bool:
        """Return whether a delivery that the current poll found is really still to be queued."""
        return delivery.id not in self._queued and delivery.id not in self._released

    def select(
        self, due: Sequence[PendingDelivery], *, page_full: bool = False
    ) -> list[PendingDelivery]:
        """
        Return as many of the new deliveries that are *due* as there is space for.

        *page_full* tells whether there may be more in the database.
        """
        selected = due[: self._space(due)]
        self._more_stored = page_full or len(selected) < len(due)
        return list(selected)

    def fits(self, delivery: PendingDelivery) -> bool:
        """Return whether there is space for one more."""
        return self._space([delivery]) == 1

    def _space(self, due: Sequence[PendingDelivery]) -> int:
        """Return how many of *due* fit; the last may exceed the size, so that any fits alone."""
        most = 1 if self.client.circuit_is_open else self.space
        size = self._total_size
        for count, delivery in enumerate(due):
            if count >= most or size >= MAX_QUEUED_BYTES:
                return count
            size += delivery.size
        return len(due)

    def contains(self, delivery: PendingDelivery) -> bool:
        return delivery.id in self._queued

    def add(self, delivery: PendingDelivery) -> None:
        self._queued[delivery.id] = delivery
        self._total_size += delivery.size

    def release(self, delivery: PendingDelivery, due_at: datetime | None = None) -> None:
        """Remove a delivery; poll by *due_at*, when it will be due again, and if more can come."""
        self._total_size -= self._queued.pop(delivery.id).size
        self._released.add(delivery.id)
        can_refill = self._more_stored and self.has_space
        due_earlier = due_at is not None and (self._next_poll is None or due_at < self._next_poll)
        if can_refill or due_earlier:
            self.wake()
