"""What the order-writer counts."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

COMMANDS = Counter(
    "ordermill_writer_commands", "Commands settled, repeats included.", ["operation", "outcome"]
)
BATCH_SECONDS = Histogram(
    "ordermill_writer_batch_seconds", "From having read a batch to having committed its offsets."
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
    "ordermill_writer_waits", "Times that a batch had to wait for MongoDB or Kafka.", ["for_"]
)
POISON = Counter(
    "ordermill_writer_poison", "Records that failed alone for an unknown reason and were refused."
)
SUSPECTS = Gauge(
    "ordermill_writer_suspects",
    "Records in hand that fail alone; refused where others go well, else the service stops.",
)
