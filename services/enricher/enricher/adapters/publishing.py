"""Publishing any number of records, in portions that fit into the publisher's queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from order_runtime.kafka.records import Outgoing, split_by_size

PORTION_BYTES: Final = 16 * 1024 * 1024  # a quarter of the publisher's queue


class RecordPublisher(Protocol):
    """Publishes records; all of them are acknowledged when it returns."""

    async def publish_all(self, records: Sequence[Outgoing]) -> None: ...


async def publish(publisher: RecordPublisher, records: Sequence[Outgoing]) -> None:
    """Publish *records* in order; return when all are acknowledged."""
    for portion in split_by_size(records, PORTION_BYTES):
        await publisher.publish_all(portion)
