"""An event is acknowledged when it is wholly handled, and not before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from faust.types.tuples import Message

from enricher.adapters.kafka_consumer import handle_and_ack
from order_runtime.kafka.byte_budget import ByteBudget
from order_runtime.kafka.records import Record


def message() -> Message:
    """Return a message as Faust gives it."""
    headers = [("ce_type", b"x")]
    return Message("orders.events", 3, 7, 1764324000.123, 0, headers, b"o-1", None, None)


@dataclass
class Event:
    """As Faust gives it, but for its acknowledgement, which goes on a list."""

    done: list[str]
    message: Message = field(default_factory=message)

    def ack(self) -> None:
        self.done.append("acknowledged")


async def test_what_was_not_handled_is_not_acknowledged() -> None:
    done: list[str] = []

    async def breaks(_: Sequence[Record]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await handle_and_ack([Event(done)], breaks, ByteBudget(1))

    assert done == []


async def test_effects_come_first_and_the_acknowledgement_last() -> None:
    done: list[str] = []

    async def handle(records: Sequence[Record]) -> None:
        done.append(f"{records[0].offset} at {records[0].at.isoformat(timespec='milliseconds')}")

    await handle_and_ack([Event(done)], handle, ByteBudget(1))

    assert done == ["7 at 2025-11-28T10:00:00.123+00:00", "acknowledged"]


async def test_what_is_acknowledged_makes_room_for_more() -> None:
    """And what is read while there is none waits: records in hand are bounded by their bytes."""
    budget = ByteBudget(max_bytes=100)
    event = Event([])
    await budget.take(10_000)  # one record may exceed it
    waiting = asyncio.create_task(budget.take(1))
    await asyncio.sleep(0)
    assert not waiting.done()

    async def handle(_: Sequence[Record]) -> None:
        budget.give_back(10_000)

    await handle_and_ack([event], handle, budget)
    await asyncio.wait_for(waiting, 5)


async def test_a_rebalance_makes_room_for_what_is_read_again() -> None:
    """Faust forgets what it has read then, without acknowledging it."""
    budget = ByteBudget(max_bytes=100)
    await budget.take(100)
    waiting = asyncio.create_task(budget.take(100))
    await asyncio.sleep(0)
    budget.reset()
    await asyncio.wait_for(waiting, 5)
    budget.give_back(100)
    budget.give_back(100)  # of what was read before the rebalance
    await asyncio.wait_for(budget.take(100), 5)
    assert not asyncio.create_task(budget.take(1)).done()
