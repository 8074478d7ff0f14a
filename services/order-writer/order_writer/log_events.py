"""Names of the order-writer's log events, each with its meaning."""

from __future__ import annotations

from typing import Final

from order_runtime.process.log_events import LogEvent

BATCH_SETTLED: Final = LogEvent("batch settled", "A batch was stored, announced and committed.")
BATCH_FAILED: Final = LogEvent(
    "batch failed", "A batch failed for an unknown reason and is tried in halves."
)
RECORD_REFUSED: Final = LogEvent(
    "record refused",
    "One record failed alone five times where others went well; its job is Failed 500, and it is a"
    " dead letter.",
)
BATCH_UNDECODABLE: Final = LogEvent(
    "batch undecodable",
    "A batch of `orders.commands` can't be decompressed; it is passed over, and becomes one failed"
    " job and one dead letter that name its first and last offset.",
)
PARTITIONS_LOST: Final = LogEvent(
    "partitions lost",
    "Kafka gave partitions to another worker while this one was away.",
)
READING_AGAIN: Final = LogEvent(
    "reading again",
    "MongoDB stores lower offsets than Kafka, as after a restore to an earlier time: the records"
    " between are read again from there.",
)
