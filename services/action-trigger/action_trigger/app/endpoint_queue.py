"""What one endpoint has in hand: bounded in number and size, so that it fits in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from action_trigger import metrics
from action_trigger.adapters.http_sender import HttpSender
from action_trigger.adapters.rate_limiter import RateLimiter
from action_trigger.domain.circuit_breaker import CLOSED, Circuit
from action_trigger.domain.delivery import PendingDelivery
from order_contracts.order import ActionName
from order_runtime.process.logs import log

MAX_QUEUED: Final = 512  # deliveries in hand: recording takes a while, and sending goes on
MAX_QUEUED_CHARACTERS: Final = 32 * 1024 * 1024  # characters of their bodies
MAX_IN_FLIGHT: Final = 32  # requests in flight


@dataclass(frozen=True, slots=True)
class QueuedDelivery:
    delivery: PendingDelivery
    body: str
    taken_at: datetime
    queue: EndpointQueue


class EndpointQueue:
    """The deliveries of one endpoint that are in memory, and when to look for more."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.actions: tuple[ActionName, ...] = ()
        self._sender: HttpSender | None = None
        self.rate_limiter = RateLimiter(None)
        self.slots = asyncio.Semaphore(MAX_IN_FLIGHT)
        self.in_flight = 0
        self.more = False
        """Whether the last look left due deliveries where they are."""
        self._circuit = CLOSED
        metrics.CIRCUIT_OPEN.labels(name).set(0)
        self._queued: dict[str, int] = {}
        self._size = 0
        self._left: set[str] = set()
        self._woken = asyncio.Event()
        self._sleeps_until: datetime | None = None

    def use(self, sender: HttpSender | None, actions: tuple[ActionName, ...]) -> None:
        """From now on send so, and these."""
        self._sender, self.actions = sender, actions
        self.rate_limiter = RateLimiter(sender.rate if sender else None)
        self.wake()

    @property
    def sender(self) -> HttpSender:
        """Only where there are actions that go there."""
        if self._sender is None:
            raise LookupError(f"no action goes to {self.name}")
        return self._sender

    @property
    def circuit(self) -> Circuit:
        return self._circuit

    @circuit.setter
    def circuit(self, circuit: Circuit) -> None:
        was_open, self._circuit = self._circuit.is_open, circuit
        if circuit.is_open == was_open:
            return
        metrics.CIRCUIT_OPEN.labels(self.name).set(circuit.is_open)
        log().warning("circuit opened" if circuit.is_open else "circuit closed", endpoint=self.name)
        self.wake()

    @property
    def has_space(self) -> bool:
        if self._circuit.is_open:  # one probe at a time
            return not self.in_flight
        return len(self._queued) <= MAX_QUEUED // 2 and self._size <= MAX_QUEUED_CHARACTERS // 2

    def start_looking(self) -> None:
        """Forget what left before: only what leaves during a look may still look pending in it."""
        self._left.clear()
        self._woken.clear()
        self._sleeps_until = None

    def fresh(self, queue: Iterable[PendingDelivery], now: datetime) -> list[PendingDelivery]:
        """Return what is due and new, as much as there is room for; says in `more` if that cut."""
        due = [
            delivery
            for delivery in queue
            if delivery.due_at <= now
            and delivery.id not in self._queued
            and delivery.id not in self._left
        ]
        taken: list[PendingDelivery] = []
        size, room = self._size, self._room()
        for delivery in due:
            if len(taken) >= room or size >= MAX_QUEUED_CHARACTERS:
                break
            taken.append(delivery)
            size += delivery.size
        self.more = self.more or len(taken) < len(due)
        return taken

    def _room(self) -> int:
        return 1 if self._circuit.is_open else MAX_QUEUED - len(self._queued)

    def contains(self, delivery: PendingDelivery) -> bool:
        return delivery.id in self._queued

    def take(self, delivery: PendingDelivery) -> None:
        self._queued[delivery.id] = delivery.size
        self._size += delivery.size

    def release(self, delivery: PendingDelivery) -> None:
        self._size -= self._queued.pop(delivery.id)
        self._left.add(delivery.id)
        if self.more and self.has_space:
            self.wake()

    def wake(self) -> None:
        """Look again now."""
        self._woken.set()

    def due(self, at: datetime) -> None:
        """Take note that something will be due *at*; look then, if the next look is later."""
        if self._sleeps_until is None or at < self._sleeps_until:
            self.wake()

    async def sleep(self, until: datetime, now: datetime) -> None:
        self._sleeps_until = until
        try:
            async with asyncio.timeout(max((until - now).total_seconds(), 0)):
                await self._woken.wait()
        except TimeoutError:
            return
