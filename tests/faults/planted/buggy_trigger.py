"""
An action-trigger that commits the offsets of actions which it keeps in memory only.

    python -m faults.planted.buggy_trigger
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from action_trigger.adapters.kafka_consumer import Assignment, consume
from action_trigger.settings import Settings
from order_runtime.kafka.records import Record
from order_runtime.process.settings import load


class UnrecordedActions:
    """Stores no delivery: the actions are lost when the process ends."""

    def __init__(self) -> None:
        self.held: list[Record] = []

    async def record(self, records: Sequence[Record], now: datetime) -> None:
        del now
        self.held.extend(records)


async def main() -> None:
    settings = load(Settings)
    assignment = Assignment(lambda _: None)
    recorder = UnrecordedActions()
    await consume(
        settings.kafka,
        settings.instance,
        assignment,
        recorder,  # type: ignore[arg-type]  # has the method of a recorder, and records nothing
        asyncio.Event(),
    )


if __name__ == "__main__":
    asyncio.run(main())
