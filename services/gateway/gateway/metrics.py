"""Metrics of the gateway."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

ACCEPTED = Counter("ordermill_gateway_accepted", "Commands answered 202.", ["operation"])
REFUSED = Counter("ordermill_gateway_refused", "Requests answered with an error.", ["code"])
QUERIES = Counter("ordermill_gateway_queries", "Queries to MongoDB.", ["kind"])
ACK_SECONDS = Histogram(
    "ordermill_gateway_ack_seconds", "From handing a command to Kafka to its acknowledgement."
)
CONNECTIONS = Gauge("ordermill_gateway_connections", "Connections of clients, now.")
CONNECTIONS_CLOSED = Counter(
    "ordermill_gateway_connections_closed",
    "Connections that were closed because of what their client did, or did not do, by the reason.",
    ["reason"],
)
MEMORY = Gauge(
    "ordermill_gateway_memory_bytes",
    "Bytes reserved now, by what for: commands, bulks, pages.",
    ["kind"],
)
LOG_LINES_LOST = Counter(
    "ordermill_gateway_log_lines_lost",
    "Lines of the access log that were not written, since nobody read those before them.",
)
