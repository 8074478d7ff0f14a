"""Publishing as much as there is, in portions that the publisher's queue holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from order_runtime.records import Outgoing

PORTION_BYTES: Final = 16 * 1024 * 1024  # a quarter of what the publisher queues


class Publishes(Protocol):
    """Where the messages go; all of them are acknowledged when it returns."""

    async def publish_all(self, records: Sequence[Outgoing]) -> None: ...


async def publish(publisher: Publishes, records: Sequence[Outgoing]) -> None:
    """Publish *records* in order; return when all are acknowledged."""
    portion: list[Outgoing] = []
    size = 0
    for record in records:
        portion.append(record)
        size += len(record.value or b"")
        if size > PORTION_BYTES:
            await publisher.publish_all(portion)
            portion, size = [], 0
    if portion:
        await publisher.publish_all(portion)
