"""What the action-trigger counts; all names in one place."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from order_contracts.topics import ACTIONS
from order_runtime.observability.batch_histogram import END_TO_END
from order_runtime.observability.metrics import DEAD_LETTERS, begin_at_zero

ATTEMPT_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 30, 60)
"""Seconds, up to the longest timeout; 15 is the usual one."""

RECORDED: Final = Counter(
    "ordermill_action_trigger_recorded", "Actions taken from Kafka into the deliveries."
)
RECORD_SECONDS: Final = Histogram(
    "ordermill_action_trigger_record_seconds",
    "From having taken a batch of actions to having recorded them as deliveries.",
)
RECORD_ACTIONS: Final = Histogram(
    "ordermill_action_trigger_record_actions",
    "Actions in one batch.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
UNREADABLE: Final = Counter(
    "ordermill_action_trigger_unreadable",
    "Records that were no action, or could not be recorded, and became dead letters.",
)
ATTEMPTS: Final = Counter(
    "ordermill_action_trigger_attempts",
    "Webhooks sent, by endpoint and by what became of them.",
    ["endpoint", "outcome"],
)
FIRST_ATTEMPTS: Final = Counter(
    "ordermill_action_trigger_first_attempts",
    "Actions whose webhook was sent for the first time, whatever became of it.",
)
ATTEMPT_SECONDS: Final = Histogram(
    "ordermill_action_trigger_attempt_seconds",
    "From sending a webhook to its answer, or to giving up on it.",
    ["endpoint"],
    buckets=ATTEMPT_BUCKETS,
)
DELIVERED_SECONDS: Final = Histogram(
    "ordermill_action_trigger_delivered_seconds",
    "From an action being on Kafka, where it was fired, to its first delivery.",
    buckets=END_TO_END,
)
ORDER_TO_WEBHOOK_SECONDS: Final = Histogram(
    "ordermill_action_trigger_order_to_webhook_seconds",
    "From accepting a command to its webhook being taken; of a held action with that time.",
    buckets=END_TO_END,
)
IN_FLIGHT: Final = Gauge(
    "ordermill_action_trigger_in_flight", "Webhooks sent and not answered yet, now."
)
OLDEST_PENDING: Final = Gauge(
    "ordermill_action_trigger_oldest_pending_seconds",
    "The age of the oldest delivery that hasn't ended, of all workers; 0 where there is none.",
)
OVERDUE: Final = Gauge(
    "ordermill_action_trigger_overdue_deliveries",
    "Deliveries that were due two minutes ago and weren't sent, of all workers, up to 1,000; 0 in a"
    " healthy system.",
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
    "1 where the endpoint failed so often in a row that this process only probes it.",
    ["endpoint"],
)
FILE_REFUSED: Final = Gauge(
    "ordermill_action_trigger_webhooks_file_refused",
    "1 while the webhooks file as it is now can't be used, and the one before goes on.",
)
PARTITIONS: Final = Gauge(
    "ordermill_action_trigger_partitions", "Partitions whose deliveries this process may send."
)

OUTCOMES: Final = ("delivered", "retry", "failed", "disabled")


def name_endpoints(names: Collection[str], all_names: Collection[str]) -> None:
    """
    Show the metrics of those endpoints that the webhooks file names, and of no other.

    An action without a table of its own goes to the default endpoint: a series of its own would
    look like an endpoint that is always well.
    """
    for name in all_names:
        if name in names:
            begin_at_zero(ATTEMPTS, [name], OUTCOMES)
            begin_at_zero(ATTEMPT_SECONDS, [name])
        else:
            for gauge in (ENABLED, CIRCUIT_OPEN):
                with suppress(KeyError):
                    gauge.remove(name)


begin_at_zero(ANNOUNCED, ["delivered", "failed", "dropped"])
begin_at_zero(DEAD_LETTERS, [ACTIONS.name], ["ValidationFailed", "InternalError", "ActionFailed"])
