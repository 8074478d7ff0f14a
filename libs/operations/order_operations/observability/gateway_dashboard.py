"""The dashboard of the gateway."""

from __future__ import annotations

from order_operations.observability.panel import Dashboard, Panel, Query, Row, quantiles, rate
from order_operations.observability.shared_panels import (
    service_dashboard,
)


def gateway() -> Dashboard:
    requests = "ordermill_gateway_request_seconds"
    traffic = (
        Panel(
            "Requests by call",
            "Answers a second.",
            (Query(rate(f"{requests}_count", "method, route"), "{{method}} {{route}}"),),
            "reqps",
        ),
        Panel(
            "Requests by outcome",
            "The class of the status; `waited` for a job, as the client asked.",
            (Query(rate(f"{requests}_count", "outcome"), "{{outcome}}"),),
            "reqps",
        ),
        Panel(
            "Accepted commands",
            "By operation.",
            (Query(rate("ordermill_gateway_accepted_total", "operation"), "{{operation}}"),),
            "ops",
        ),
        Panel(
            "Refused by code",
            "Requests, and rows of bulks. 401: unknown keys; 429: above a client's rate.",
            (Query(rate("ordermill_gateway_refused_total", "code"), "{{code}}"),),
            "ops",
        ),
    )
    latency = (
        Panel(
            "Time of a write",
            "POST, PUT and DELETE that didn't wait for a job.",
            quantiles(requests, 'method=~"POST|PUT|DELETE",outcome!="waited"'),
            "s",
        ),
        Panel("Time of a read", "GET and HEAD.", quantiles(requests, 'method=~"GET|HEAD"'), "s"),
        Panel(
            "Time of Kafka's acknowledgement",
            "A part of the time of a write.",
            quantiles("ordermill_gateway_ack_seconds"),
            "s",
        ),
        Panel(
            "Queries to MongoDB",
            "A second, by kind; one query serves several requests.",
            (Query(rate("ordermill_gateway_queries_total", "kind"), "{{kind}}"),),
            "ops",
        ),
    )
    door = (
        Panel(
            "Connections",
            "Of clients, now.",
            (Query("sum by (instance) (ordermill_gateway_connections)", "{{instance}}"),),
        ),
        Panel(
            "Connections closed at the door",
            "Because of what their client did, or did not do.",
            (Query(rate("ordermill_gateway_connections_closed_total", "reason"), "{{reason}}"),),
            "ops",
        ),
        Panel(
            "Memory reserved",
            "For bodies and pages, of the bounds that the settings give.",
            (Query("sum by (kind) (ordermill_gateway_memory_bytes)", "{{kind}}"),),
            "bytes",
        ),
        Panel(
            "Log lines lost",
            "Nobody read those before them; 0 in a healthy system.",
            (Query("sum(ordermill_gateway_log_lines_lost_total)", "lost"),),
            "short",
            "stat",
        ),
    )
    return service_dashboard(
        "gateway", Row("Traffic", traffic), Row("Latency", latency), Row("Door", door)
    )
