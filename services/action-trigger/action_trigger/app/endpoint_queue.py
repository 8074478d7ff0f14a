"""The deliveries to one endpoint that are in memory, and when the database is polled for more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from action_trigger.adapters.http_sender import HttpSender
from action_trigger.app.endpoint_client import EndpointClient
from action_trigger.domain.delivery import PendingDelivery
from order_contracts.order import ActionName

MAX_QUEUED: Final = 512  # deliveries; more than in flight, since recording an attempt takes a while
MAX_QUEUED_CHARACTERS: Final = 32 * 1024 * 1024  # of the bodies of all queued deliveries


@dataclass(frozen=True, slots=True)
class QueuedDelivery:
    delivery: PendingDelivery
    body: str
    queued_at: datetime
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
        self._sizes: dict[str, int] = {}  # in characters, by the delivery's id
        self._total_size = 0
        self._released: set[str] = set()  # since the current poll began
        self._more_stored = False  # whether the last poll left due deliveries in the database
        self._woken = asyncio.Event()
        self._next_poll: datetime | None = None  # None while polling

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

    async def _sleep(self, until: datetime, now: datetime) -> None:
        self._next_poll = until
        with suppress(TimeoutError):
            async with asyncio.timeout(max((until - now).total_seconds(), 0)):
                await self._woken.wait()

    def wake(self) -> None:
        """Poll now, or once more if a poll is under way."""
        self._woken.set()

    @property
    def has_space(self) -> bool:
        """Whether polling is worthwhile: the queue is half empty, or the next probe may start."""
        if self.client.circuit_is_open:
            return self.client.is_idle
        return (
            len(self._sizes) <= MAX_QUEUED // 2 and self._total_size <= MAX_QUEUED_CHARACTERS // 2
        )

    @property
    def wants_more(self) -> bool:
        """Whether due deliveries are left in the database although there is space for them."""
        return self._more_stored and self.has_space and not self.client.circuit_is_open

    def poll_when_released(self) -> None:
        """Poll once a release has made space."""
        self._more_stored = True

    def select(self, pending: Sequence[PendingDelivery], now: datetime) -> list[PendingDelivery]:
        """
        Return the deliveries that are due and not queued yet, as many as there is space for.

        *pending* are the first MAX_QUEUED in the database by due time.
        """
        page_full = len(pending) == MAX_QUEUED and pending[-1].due_at <= now
        due = [
            delivery
            for delivery in pending
            if delivery.due_at <= now
            and delivery.id not in self._sizes
            and delivery.id not in self._released
        ]
        selected = due[: self._space(due)]
        self._more_stored = page_full or len(selected) < len(due)
        return selected

    def _space(self, due: Sequence[PendingDelivery]) -> int:
        """Return how many of *due* fit; the last may exceed the size, so that any fits alone."""
        most = 1 if self.client.circuit_is_open else MAX_QUEUED - len(self._sizes)
        size = self._total_size
        for count, delivery in enumerate(due):
            if count >= most or size >= MAX_QUEUED_CHARACTERS:
                return count
            size += delivery.size
        return len(due)

    def contains(self, delivery: PendingDelivery) -> bool:
        return delivery.id in self._sizes

    def add(self, delivery: PendingDelivery) -> None:
        self._sizes[delivery.id] = delivery.size
        self._total_size += delivery.size

    def release(self, delivery: PendingDelivery, due_at: datetime | None = None) -> None:
        """Remove a delivery; poll by *due_at*, when it will be due again, and if more can come."""
        self._total_size -= self._sizes.pop(delivery.id)
        self._released.add(delivery.id)
        can_refill = self._more_stored and self.has_space
        due_earlier = due_at is not None and (self._next_poll is None or due_at < self._next_poll)
        if can_refill or due_earlier:
            self.wake()
