"""The dashboards of the action-trigger, and of deliveries and their endpoints."""

from __future__ import annotations

from order_operations.observability.panel import Dashboard, Panel, Query, Row, quantiles, rate
from order_operations.observability.shared_panels import (
    ATTEMPTS,
    DELIVERED,
    ENDPOINTS,
    LAG,
    ORDER_TO_WEBHOOK,
    OVERDUE,
    UNDELIVERED,
    service_dashboard,
)


def action_trigger() -> Dashboard:
    work = (
        Panel(
            "Actions recorded",
            "A second.",
            (Query("sum(rate(ordermill_action_trigger_recorded_total[$__rate_interval]))", "all"),),
            "ops",
        ),
        ATTEMPTS,
        Panel(
            "In flight",
            "Webhooks sent and not answered yet, now; at most 32 an endpoint.",
            (Query("sum by (instance) (ordermill_action_trigger_in_flight)", "{{instance}}"),),
        ),
        Panel(
            "Partitions",
            "Whose deliveries each process may send.",
            (Query("sum by (instance) (ordermill_action_trigger_partitions)", "{{instance}}"),),
        ),
    )
    time = (
        Panel(
            "Time of an attempt",
            "To the answer, or to giving up on it.",
            quantiles("ordermill_action_trigger_attempt_seconds", by="endpoint"),
            "s",
        ),
        DELIVERED,
        ORDER_TO_WEBHOOK,
        Panel(
            "Time to record a batch", "", quantiles("ordermill_action_trigger_record_seconds"), "s"
        ),
    )
    waiting = (LAG, UNDELIVERED, OVERDUE, ENDPOINTS)
    return service_dashboard(
        "action-trigger", Row("Work", work), Row("Time", time), Row("Waiting", waiting)
    )


def deliveries() -> Dashboard:
    panels = (
        ATTEMPTS,
        ENDPOINTS,
        UNDELIVERED,
        OVERDUE,
        DELIVERED,
        ORDER_TO_WEBHOOK,
        Panel(
            "Time of an attempt",
            "",
            quantiles("ordermill_action_trigger_attempt_seconds", by="endpoint"),
            "s",
        ),
        Panel(
            "Ended",
            "Deliveries announced on Kafka, a second, by their state.",
            (Query(rate("ordermill_action_trigger_announced_total", "state"), "{{state}}"),),
            "ops",
        ),
        Panel(
            "Webhooks file",
            "1 while the file as it is now can't be used.",
            (Query("max(ordermill_action_trigger_webhooks_file_refused)", "refused"),),
            "short",
            "stat",
        ),
    )
    row = Row("Deliveries", panels)
    return Dashboard("ordermill-deliveries", "Ordermill: deliveries", (row,))
