"""Bytes that requests may hold in memory at once: who finds none left waits, then is refused."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gateway import metrics
from gateway.domain.problem_error import RETRY_SOON, ProblemError

WAIT_SECONDS: Final = 5.0
MIB: Final = 1024 * 1024


@dataclass(eq=False, slots=True)
class Reservation:
    """Bytes of one request, until its response was sent."""

    budget: MemoryBudget
    client: str
    size: int

    def shrink(self, size: int) -> None:
        """Give back what is more than *size*."""
        self.budget.give_back(self.client, max(0, self.size - size))
        self.size = min(self.size, size)

    def release(self) -> None:
        self.shrink(0)


@dataclass(eq=False, slots=True)
class _Waiter:
    client: str
    size: int
    granted: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class MemoryBudget:
    """
    Grants bytes in the order in which they are asked for.

    A client may hold half of them, so that a greedy one leaves room for others; what is more than
    half is granted to a client that holds nothing.
    """

    def __init__(self, kind: str, total: int, wait_seconds: float = WAIT_SECONDS) -> None:
        self._total = self._free = total
        self._wait_seconds = wait_seconds
        self._held: Counter[str] = Counter()
        self._waiting: list[_Waiter] = []
        metrics.MEMORY.labels(kind).set_function(lambda: self._total - self._free)

    async def reserve(self, state: Mapping[str, Any], size: int) -> Reservation:
        """
        Reserve *size* bytes until the response was sent; raises ProblemError.

        *state* is that of a request that was admitted.
        """
        client, size = state["client"], min(size, self._total)
        if self._waiting or not self._fits(client, size):
            await self._wait(_Waiter(client, size))
        else:
            self._take(client, size)
        reservation = Reservation(self, client, size)
        state["reservations"].append(reservation)
        return reservation

    async def _wait(self, waiter: _Waiter) -> None:
        self._waiting.append(waiter)
        self._grant()
        try:
            async with asyncio.timeout(self._wait_seconds):
                await asyncio.shield(waiter.granted)
        except BaseException as error:
            self._withdraw(waiter)
            if not isinstance(error, TimeoutError):
                raise
            detail = "Too much is being handled at once; try again."
            raise ProblemError("Overloaded", detail, headers=RETRY_SOON) from None

    def give_back(self, client: str, size: int) -> None:
        self._free += size
        self._held[client] -= size
        if not self._held[client]:
            del self._held[client]
        if self._waiting:
            self._grant()

    def _grant(self) -> None:
        """Grant what fits, but no small reservation ahead of a large one that waits for room."""
        for waiter in self._waiting:
            if self._holds_enough(waiter.client, waiter.size):
                continue
            if waiter.size > self._free:
                break
            if not waiter.granted.done():
                self._take(waiter.client, waiter.size)
                waiter.granted.set_result(None)
        self._waiting = [it for it in self._waiting if not it.granted.done()]

    def _fits(self, client: str, size: int) -> bool:
        return size <= self._free and not self._holds_enough(client, size)

    def _holds_enough(self, client: str, size: int) -> bool:
        """Return whether *size* more would be over half of all bytes in the hands of *client*."""
        held = self._held[client]
        return held > 0 and held + size > self._total // 2

    def _take(self, client: str, size: int) -> None:
        self._free -= size
        self._held[client] += size

    def _withdraw(self, waiter: _Waiter) -> None:
        """Forget who waits no longer; it may just have been granted."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            self._grant()  # it may have been in the way of others
        else:
            self.give_back(waiter.client, waiter.size)


class Memory:
    """The budgets of the gateway."""

    def __init__(self, bodies: int = 32 * MIB, pages: int = 96 * MIB) -> None:
        self.commands = MemoryBudget("commands", bodies)
        """Bodies of single commands."""
        self.bulks = MemoryBudget("bulks", bodies)
        """Bodies of bulk registrations and checks."""
        self.pages = MemoryBudget("pages", pages)
        """Orders that are read, and the answers made of them."""
        self.bulk_turn = asyncio.Semaphore(1)
        """Held while a large body is parsed: that takes a multiple of its bytes."""
