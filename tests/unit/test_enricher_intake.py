"""An event is acknowledged when it is wholly handled, and not before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from enricher.adapters.kafka_consumer import handle_and_ack
from order_runtime.kafka.records import Record


@dataclass
class Message:
    """As Faust gives it."""

    topic: str = "orders.events"
    partition: int = 3
    offset: int = 7
    timestamp: float = 1764324000.123
    key: bytes = b"o-1"
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = (("ce_type", b"x"),)


@dataclass
class Event:
    done: list[str]
    message: Message = field(default_factory=Message)

    def ack(self) -> None:
        self.done.append("acknowledged")


async def test_what_was_not_handled_is_not_acknowledged() -> None:
    done: list[str] = []

    async def breaks(_: Sequence[Record]) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await handle_and_ack([Event(done)], breaks)

    assert done == []


async def test_effects_come_first_and_the_acknowledgement_last() -> None:
    done: list[str] = []

    async def handle(records: Sequence[Record]) -> None:
        done.append(f"{records[0].offset} at {records[0].at.isoformat(timespec='milliseconds')}")

    await handle_and_ack([Event(done)], handle)

    assert done == ["7 at 2025-11-28T10:00:00.123+00:00", "acknowledged"]
