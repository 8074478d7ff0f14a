"""Metrics of the gateway."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

ACCEPTED = Counter("ordermill_gateway_accepted", "Commands answered 202.", ["operation"])
REFUSED = Counter("ordermill_gateway_refused", "Requests answered with an error.", ["code"])
QUERIES = Counter("ordermill_gateway_queries", "Queries to MongoDB.", ["kind"])
ACK_SECONDS = Histogram(
    "ordermill_gateway_ack_seconds", "From handing a command to Kafka to its acknowledgement."
)
