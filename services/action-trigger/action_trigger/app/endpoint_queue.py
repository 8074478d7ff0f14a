"""What one endpoint has in hand: bounded in number and size, so that it fits in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from action_trigger import metrics
from action_trigger.adapters.http_sender import Sender
from action_trigger.adapters.rate_limiter import Pace
from action_trigger.domain.circuit_breaker import CLOSED, Circuit
from action_trigger.domain.delivery import Head
from order_contracts.order import ActionName
from order_runtime.process.logs import log

WINDOW: Final = 512  # deliveries in hand: recording takes a while, and sending goes on
BUDGET: Final = 32 * 1024 * 1024  # characters of their bodies
AT_ONCE: Final = 32  # requests in flight


@dataclass(frozen=True, slots=True)
class Item:
    head: Head
    body: str
    taken_at: datetime
    hand: Hand


class Hand:
    """The deliveries of one endpoint that are in memory, and when to look for more."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.actions: tuple[ActionName, ...] = ()
        self._sender: Sender | None = None
        self.pace = Pace(None)
        self.slots = asyncio.Semaphore(AT_ONCE)
        self.in_flight = 0
        self.more = False
        """Whether the last look left due deliveries where they are."""
        self._circuit = CLOSED
        metrics.CIRCUIT_OPEN.labels(name).set(0)
        self._held: dict[str, int] = {}
        self._size = 0
        self._left: set[str] = set()
        self._woken = asyncio.Event()
        self._sleeps_until: datetime | None = None

    def use(self, sender: Sender | None, actions: tuple[ActionName, ...]) -> None:
        """From now on send so, and these."""
        self._sender, self.actions = sender, actions
        self.pace = Pace(sender.rate if sender else None)
        self.wake()

    @property
    def sender(self) -> Sender:
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
    def has_room(self) -> bool:
        if self._circuit.is_open:  # one probe at a time
            return not self.in_flight
        return len(self._held) <= WINDOW // 2 and self._size <= BUDGET // 2

    def start_looking(self) -> None:
        """Forget what left before: only what leaves during a look may still look pending in it."""
        self._left.clear()
        self._woken.clear()
        self._sleeps_until = None

    def fresh(self, queue: Iterable[Head], now: datetime) -> list[Head]:
        """Return what is due and new, as much as there is room for; says in `more` if that cut."""
        due = [
            head
            for head in queue
            if head.due_at <= now and head.id not in self._held and head.id not in self._left
        ]
        taken: list[Head] = []
        size, room = self._size, self._room()
        for head in due:
            if len(taken) >= room or size >= BUDGET:
                break
            taken.append(head)
            size += head.size
        self.more = self.more or len(taken) < len(due)
        return taken

    def _room(self) -> int:
        return 1 if self._circuit.is_open else WINDOW - len(self._held)

    def holds(self, head: Head) -> bool:
        return head.id in self._held

    def take(self, head: Head) -> None:
        self._held[head.id] = head.size
        self._size += head.size

    def let_go(self, head: Head) -> None:
        self._size -= self._held.pop(head.id)
        self._left.add(head.id)
        if self.more and self.has_room:
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
