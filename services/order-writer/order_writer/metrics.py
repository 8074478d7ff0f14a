"""What the order-writer counts."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from order_contracts.job import Operation
from order_contracts.topics import COMMANDS as COMMANDS_TOPIC
from order_runtime.observability.batch_histogram import END_TO_END, BatchHistogram
from order_runtime.observability.metrics import DEAD_LETTERS, begin_at_zero

COMMANDS = Counter(
    "ordermill_writer_commands", "Commands settled, repeats included.", ["operation", "outcome"]
)
BATCH_SECONDS = Histogram(
    "ordermill_writer_batch_seconds", "From having read a batch to having committed its offsets."
)
STEP_SECONDS = Histogram(
    "ordermill_writer_step_seconds",
    "Of a batch: to `store` it in MongoDB, to `announce` its outcomes and have them acknowledged.",
    ["step"],
)
STORED_SECONDS = BatchHistogram(
    "ordermill_writer_stored_seconds",
    "From a command's arrival in Kafka to its order and job being stored, repeats left out.",
    END_TO_END,
)
MISROUTED = Counter(
    "ordermill_writer_misrouted",
    "Commands on another partition than murmur2 puts their key on; repeats included.",
)
LEDGER_HITS = Counter(
    "ordermill_writer_ledger_hits",
    "Commands whose job was there already: they came again, and changed nothing.",
)
BATCH_COMMANDS = Histogram(
    "ordermill_writer_batch_commands",
    "Commands in one transaction.",
    buckets=(1, 2, 5, 10, 50, 100, 500, 1000, 2000),
)
CONFLICTS = Counter(
    "ordermill_writer_conflicts", "Transactions that met another writer's and were tried again."
)
WAITS = Counter(
    "ordermill_writer_waits", "Times that a batch had to wait for MongoDB or Kafka.", ["dependency"]
)
POISON = Counter(
    "ordermill_writer_poison", "Records that failed alone for an unknown reason and were refused."
)
SUSPECTS = Gauge(
    "ordermill_writer_suspects",
    "Records in hand that fail alone; refused where others go well, else the service stops.",
)

APPLIED: Final = "Applied"
"""The outcome of a command that didn't fail; of others it is their code."""

begin_at_zero(COMMANDS, Operation, [APPLIED])
begin_at_zero(STEP_SECONDS, ["store", "announce"])
begin_at_zero(
    DEAD_LETTERS, [COMMANDS_TOPIC.name], ["ValidationFailed", "TooLarge", "InternalError"]
)
begin_at_zero(WAITS, ["kafka", "mongodb"])
