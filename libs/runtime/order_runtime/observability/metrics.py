"""Metrics that several services have, each with its sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

BUILD_INFO: Final = Gauge(
    "ordermill_build_info", "1; its labels say which release this process is.", ["version"]
)
READY: Final = Gauge("ordermill_ready", "1 where /readyz answers 200, as of this scrape.")
LIVE: Final = Gauge("ordermill_live", "1 where /livez answers 200, as of this scrape.")
DEPENDENCY_UP: Final = Gauge(
    "ordermill_dependency_up",
    "1 while Kafka or MongoDB answers this process; 0 before, and from a failure until it answers.",
    ["dependency"],
)
DEPENDENCY_CHANGED: Final = Gauge(
    "ordermill_dependency_changed_timestamp_seconds",
    "Since when the dependency is up, or away, in Unix time; 0 until it answered or failed once.",
    ["dependency"],
)
UNDER_REPLICATED: Final = Gauge(
    "ordermill_kafka_under_replicated_partitions",
    "Partitions of a topic that this process uses without a leader, or whose replicas aren't all in"
    " sync: a broker is away or behind.",
    ["topic"],
)
UNREACHABLE_MEMBERS: Final = Gauge(
    "ordermill_mongodb_unreachable_members",
    "Members of MongoDB's replica set that this process doesn't reach.",
)
LAG_RECORDS: Final = Gauge(
    "ordermill_consumer_lag_records",
    "Offsets from the group's first unprocessed record to the end of the topic, as each member"
    " sees it of the whole group; 0 where nothing but transaction markers is left.",
    ["group", "topic"],
)
LAG_SECONDS: Final = Gauge(
    "ordermill_consumer_lag_seconds",
    "The age of the oldest record of the topic that the group has not processed; 0 where none is.",
    ["group", "topic"],
)
DEAD_LETTERS: Final = Counter(
    "ordermill_dead_letters",
    "Dead letters published, by the topic of the record and the code of the reason.",
    ["topic", "code"],
)
CERTIFICATE_EXPIRY: Final = Gauge(
    "ordermill_tls_certificate_expiry_timestamp_seconds",
    "When the first certificate of a file ends that this process holds, in Unix time.",
    ["certificate"],
)

TRACE_SPANS: Final = Counter(
    "ordermill_trace_spans",
    "Spans: exported, failed where nobody took them, dropped where too many waited.",
    ["outcome"],
)


def begin_at_zero(metric: Counter | Histogram, *labels: Iterable[str]) -> None:
    """Create the children of known label values: a counter that begins with 1 shows no increase."""
    rows: list[tuple[str, ...]] = [()]
    for values in labels:
        rows = [(*row, value) for value in values for row in rows]
    for row in rows:
        metric.labels(*row)


begin_at_zero(TRACE_SPANS, ("exported", "failed", "dropped"))
