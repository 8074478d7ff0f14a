"""Metrics of the gateway."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from order_contracts.commands import COMMANDS
from order_contracts.errors import STATUS
from order_contracts.routes import ORDERS
from order_runtime.observability.metrics import begin_at_zero

REQUEST_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
OUTCOMES: Final = ("2xx", "3xx", "4xx", "5xx", "waited")
"""Of requests: the class of their status; those that were answered when they had waited for a job
took as long as that did, and count by themselves."""

REQUEST_SECONDS = Histogram(
    "ordermill_gateway_request_seconds",
    "From a request's headers to the end of its answer, by the call and the outcome.",
    ["method", "route", "outcome"],
    buckets=REQUEST_BUCKETS,
)
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

begin_at_zero(ACCEPTED, sorted({model.__name__ for model in COMMANDS.values()}))
begin_at_zero(REFUSED, STATUS)
begin_at_zero(CONNECTIONS_CLOSED, ["silent", "crowded out", "unread", "body not needed"])
begin_at_zero(REQUEST_SECONDS, ["POST"], [ORDERS], OUTCOMES)
