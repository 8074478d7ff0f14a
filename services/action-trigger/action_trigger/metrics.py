"""What the action-trigger counts; all names in one place."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

RECORDED: Final = Counter(
    "ordermill_action_trigger_recorded", "Actions taken from Kafka into the deliveries."
)
UNREADABLE: Final = Counter(
    "ordermill_action_trigger_unreadable",
    "Records that were no action, or could not be recorded, and became dead letters.",
)
ATTEMPTS: Final = Counter(
    "ordermill_action_trigger_attempts", "Webhooks sent, by what became of them.", ["outcome"]
)
ATTEMPT_SECONDS: Final = Histogram(
    "ordermill_action_trigger_attempt_seconds", "From sending a webhook to its answer."
)
DELIVERED_SECONDS: Final = Histogram(
    "ordermill_action_trigger_delivered_seconds",
    "From recording an action to its delivery.",
    buckets=(0.01, 0.05, 0.1, 0.5, 1, 5, 60, 600, 3_600, 36_000, 360_000),
)
IN_FLIGHT: Final = Gauge(
    "ordermill_action_trigger_in_flight", "Webhooks sent and not answered yet, now."
)
ANNOUNCED: Final = Counter(
    "ordermill_action_trigger_announced",
    "Deliveries announced on Kafka, by their state.",
    ["state"],
)
ENABLED: Final = Gauge(
    "ordermill_action_trigger_endpoint_enabled",
    "1 where webhooks are sent; 0 where the endpoint is disabled or paused, its queue kept.",
    ["endpoint"],
)
CIRCUIT_OPEN: Final = Gauge(
    "ordermill_action_trigger_circuit_open",
    "1 where the endpoint failed so often in a row that it is only probed.",
    ["endpoint"],
)
FILE_REFUSED: Final = Gauge(
    "ordermill_action_trigger_webhooks_file_refused",
    "1 while the webhooks file as it is now can't be used, and the one before goes on.",
)
PARTITIONS: Final = Gauge(
    "ordermill_action_trigger_partitions", "Partitions whose deliveries this process may send."
)
