"""The overview, by the golden signals."""

from __future__ import annotations

from order_operations.observability.objectives import ACCEPT, WEBHOOK
from order_operations.observability.panel import Dashboard, Panel, Query, Row, quantiles, rate
from order_operations.observability.shared_panels import (
    DEAD_LETTERS,
    DEPENDENCIES,
    DISKS,
    ENDPOINTS,
    HEALING_OLDEST,
    LAG,
    LAG_RECORDS,
    ORDER_TO_WEBHOOK,
    OVERDUE,
    PROCESSES,
    REPLICAS,
    UNDELIVERED,
)


def overview() -> Dashboard:
    """Return the golden signals: traffic, errors, latency, saturation; and what is away."""
    requests = "ordermill_gateway_request_seconds"
    writes = 'method=~"POST|PUT|DELETE",outcome!="waited"'
    traffic = Row(
        "Traffic",
        (
            Panel(
                "Requests",
                "Answers a second, by outcome.",
                (Query(rate(f"{requests}_count", "outcome"), "{{outcome}}"),),
                "reqps",
            ),
            Panel(
                "Orders on their way",
                "Commands accepted over HTTP, stored, enriched, and webhooks taken, a second.",
                (
                    Query(_total("ordermill_gateway_accepted_total"), "accepted"),
                    Query(_total("ordermill_writer_commands_total"), "stored"),
                    Query(_total("ordermill_enricher_outcomes_total"), "enriched"),
                    Query(
                        _total("ordermill_action_trigger_attempts_total", 'outcome="delivered"'),
                        "delivered",
                    ),
                ),
                "ops",
            ),
        ),
    )
    errors = Row(
        "Errors",
        (
            Panel(
                "Promises broken",
                "The share of writes, and of orders to webhooks, that were too slow or failed.",
                (
                    Query(f"{ACCEPT.record}:ratio_rate5m", "accept"),
                    Query(f"{WEBHOOK.record}:ratio_rate5m", "order to webhook"),
                ),
                "percentunit",
            ),
            Panel(
                "Failed commands",
                "A second, by code.",
                (
                    Query(
                        rate("ordermill_writer_commands_total", "outcome", 'outcome!="Applied"')
                        + " or vector(0)",
                        "{{outcome}}",
                    ),
                ),
                "ops",
            ),
            DEAD_LETTERS,
        ),
    )
    latency = Row(
        "Latency",
        (
            Panel(
                "Time of a write",
                "To the answer that Kafka has it.",
                quantiles(requests, writes),
                "s",
            ),
            Panel("Accepted to stored", "", quantiles("ordermill_writer_stored_seconds"), "s"),
            Panel(
                "Accepted to enriched", "", quantiles("ordermill_enricher_enriched_seconds"), "s"
            ),
            ORDER_TO_WEBHOOK,
        ),
    )
    saturation = Row("Saturation", (LAG, LAG_RECORDS, UNDELIVERED, OVERDUE, HEALING_OLDEST))
    state = Row(
        "State",
        (
            PROCESSES,
            DEPENDENCIES,
            REPLICAS,
            DISKS,
            ENDPOINTS,
            Panel(
                "Releases",
                "Processes of each release.",
                (Query("count by (version) (ordermill_build_info)", "{{version}}"),),
            ),
        ),
    )
    rows = (traffic, errors, latency, saturation, state)
    return Dashboard("ordermill-overview", "Ordermill: overview", rows)


def _total(metric: str, where: str = "") -> str:
    return f"sum(rate({metric}{{{where}}}[$__rate_interval]))"
