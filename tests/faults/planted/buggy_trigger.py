"""
An action-trigger that stores and commits the offsets of actions it keeps in memory only.

    python -m faults.planted.buggy_trigger
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

from action_trigger.adapters.kafka_consumer import Assignment, Turns, consume
from action_trigger.settings import Settings
from order_contracts.topics import TRIGGER
from order_runtime.documents.consumer_offsets import GroupOffsets, Offsets
from order_runtime.kafka.records import Record
from order_runtime.mongo.client import async_client
from order_runtime.mongo.stored_offsets import StoredOffsets
from order_runtime.observability.progress import Loop
from order_runtime.process.settings import load
from order_runtime.process.signals import stop_event
from order_runtime.startup.preflight import preflight
from order_runtime.startup.stored_offsets import group_of, require_stored_offsets


class UnrecordedActions:
    """Stores no delivery: the actions are lost when the process ends."""

    def __init__(self) -> None:
        self.held: list[Record] = []

    async def record(self, records: Sequence[Record], now: datetime) -> None:
        del now
        self.held.extend(records)


async def run(settings: Settings, group: GroupOffsets, stored: Offsets) -> None:
    async with async_client(settings.mongo_uri, settings.instance) as mongo:
        await consume(
            settings,
            Assignment(lambda _: None),
            UnrecordedActions().record,
            StoredOffsets(mongo, settings.database, group, stored),
            Turns(asyncio.Event(), Loop("actions"), lambda: False),
        )


def main() -> None:
    settings, stop = load(Settings), stop_event()
    group = group_of(TRIGGER, preflight(settings, TRIGGER, stop))
    stored = require_stored_offsets(
        settings.kafka_address, settings.mongo_uri, settings.database, group, stop
    )
    asyncio.run(run(settings, group, stored))


if __name__ == "__main__":
    main()
