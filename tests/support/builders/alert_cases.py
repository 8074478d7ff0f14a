"""For each alert, series at which it fires and series at which it must stay quiet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Series = Mapping[str, str]
"""Values of a series in promtool's notation, a sample a minute, by its name and labels."""

UP = 'ordermill_dependency_up{{job="{job}",instance="{at}",dependency="{of}"}}'
JOBS = ("ordermill-gateway", "ordermill-order-writer", "ordermill-enricher")
WRITES = 'job="ordermill-gateway",method="POST",route="/api/v3/orders"'
REQUESTS = "ordermill_gateway_request_seconds"
DELIVERED = "ordermill_action_trigger_delivered_seconds"
TRIED = "ordermill_action_trigger_first_attempts_total"
ENRICHED = "ordermill_enricher_enriched_seconds"
EXPIRY = "ordermill_tls_certificate_expiry_timestamp_seconds"


@dataclass(frozen=True, slots=True)
class AlertCase:
    """What a case says is so *at* some time after the beginning."""

    alert: str
    firing: Series
    quiet: Series
    labels: Mapping[str, str] = field(default_factory=dict)
    """Those of the alert that fires, beside its name and severity."""
    at: str = "20m"


def dependency(of: str, *values: str) -> Series:
    """Return what several processes see of a dependency."""
    return {
        UP.format(job=job, at=f"{job}:1", of=of): value
        for job, value in zip(JOBS, values, strict=True)
    }


def unreachable(*members: int) -> Series:
    """Return how many members each process doesn't reach."""
    name = 'ordermill_mongodb_unreachable_members{{instance="{}"}}'
    return {name.format(at): f"{count}x40" for at, count in enumerate(members)}


def disk(left: int, job: str = "ordermill-machines") -> Series:
    """Return a disk of 100 bytes."""
    labels = f'job="{job}",instance="kafka-1:9100",mountpoint="/data"'
    return {
        f"node_filesystem_avail_bytes{{{labels}}}": f"{left}x40",
        f"node_filesystem_size_bytes{{{labels}}}": "100x40",
    }


def gauge(name: str, firing: str, quiet: str) -> tuple[Series, Series]:
    return {name: firing}, {name: quiet}


def counted(name: str, at: str = "20m") -> tuple[Series, Series]:
    """Return a counter that grew lately, and one that did long ago and not since."""
    del at
    return {name: "0x15 1x10"}, {name: "1x40"}


def requests(good: int, slow: int, failed: int) -> Series:
    """Return requests a minute: within a second, later, and answered with 5xx."""
    served, refused = f'{WRITES},outcome="2xx"', f'{WRITES},outcome="5xx"'
    return {
        f'{REQUESTS}_bucket{{{served},le="1.0"}}': f"0+{good}x400",
        f"{REQUESTS}_count{{{served}}}": f"0+{good + slow}x400",
        f"{REQUESTS}_count{{{refused}}}": f"0+{failed}x400",
        f'{REQUESTS}_count{{{WRITES},outcome="waited"}}': "0+1000x400",
    }


def orders(enriched: tuple[int, int], delivered: tuple[int, int]) -> Series:
    """Return, a minute, how many were in time, and how many in all."""
    return {
        f'{ENRICHED}_bucket{{le="10.0"}}': f"0+{enriched[0]}x400",
        f"{ENRICHED}_count": f"0+{enriched[1]}x400",
        f'{DELIVERED}_bucket{{le="30.0"}}': f"0+{delivered[0]}x400",
        TRIED: f"0+{delivered[1]}x400",
    }


def expires(days: float) -> str:
    """Return a certificate's end, so many days after the beginning of time."""
    return f"{days * 86_400:.0f}x60"


def lag(seconds: int) -> Series:
    """Return two members' view of one group; the higher counts."""
    of = 'job="ordermill-enricher",group="enricher",topic="orders.events"'
    name = f'ordermill_consumer_lag_seconds{{{{{of},instance="{{}}"}}}}'
    return {name.format(1): f"{seconds}x40", name.format(2): "0x40"}


def missing_contacts(missing: int, done: int) -> Series:
    name = 'ordermill_enricher_outcomes_total{{state="{}"}}'
    return {
        name.format("contactMissing"): f"0+{missing}x40",
        name.format("done"): f"0+{done}x40",
    }


def endpoint(name: str, default: str, custom: str) -> Series:
    metric = f"ordermill_action_trigger_{name}"
    return {f'{metric}{{endpoint="default"}}': default, f'{metric}{{endpoint="Custom"}}': custom}


PROCESS = {"job": "ordermill-enricher", "instance": "enricher:1"}
LABELS = 'job="ordermill-enricher",instance="enricher:1"'
CERTIFICATE = f'{EXPIRY}{{job="ordermill-gateway",certificate="gateway"}}'
CERTIFICATE_LABELS = {"job": "ordermill-gateway", "certificate": "gateway"}
LETTERS = 'ordermill_dead_letters_total{topic="orders.commands",code="ValidationFailed"}'
LATE = {"job": "ordermill-enricher", "group": "enricher", "topic": "orders.events"}
REFUSED = "ordermill_gateway_refused_total"
OTHER_UP = 'up{job="ordermill-enricher",instance="enricher:2"}'

CASES = (
    AlertCase("KafkaAway", dependency("kafka", *["0x40"] * 3), dependency("kafka", *["1x40"] * 3)),
    AlertCase(
        "MongoDBAway",
        dependency("mongodb", "0x40", "0x40", "1x40"),
        dependency("mongodb", "0x40", "1x40", "1x40"),
    ),
    AlertCase(
        "BackendUnreachable",
        dependency("kafka", "0x40", "1x40", "1x40"),
        dependency("kafka", "1x10 0x0 1x30", "1x40", "1x40"),
        {"job": JOBS[0], "instance": f"{JOBS[0]}:1", "dependency": "kafka"},
    ),
    AlertCase(
        "KafkaReplicasMissing",
        *gauge(
            'ordermill_kafka_under_replicated_partitions{topic="orders.events"}',
            "4x40",
            "0x10 4x1 0x30",
        ),
    ),
    AlertCase(
        "MongoDBMemberAway",
        unreachable(1, 1),
        unreachable(1, 0),
    ),
    AlertCase(
        "DiskFills",
        disk(left=14),
        {**disk(left=16), **disk(left=1, job="node")},
        {"instance": "kafka-1:9100", "mountpoint": "/data"},
    ),
    AlertCase(
        "ServiceDown",
        {f"up{{{LABELS}}}": "0x40", OTHER_UP: "0x40"},
        {f"up{{{LABELS}}}": "0x40", OTHER_UP: "1x40"},
        {"job": "ordermill-enricher"},
    ),
    AlertCase(
        "InstanceDown",
        {f"up{{{LABELS}}}": "0x40", OTHER_UP: "1x40"},
        {f"up{{{LABELS}}}": "1x40", OTHER_UP: "1x40", 'up{job="node"}': "0x40"},
        PROCESS,
    ),
    AlertCase("LoopStalled", *gauge(f"ordermill_live{{{LABELS}}}", "0x40", "1x40"), PROCESS),
    AlertCase("NotReady", *gauge(f"ordermill_ready{{{LABELS}}}", "0x40", "1x15 0x3 1x20"), PROCESS),
    AlertCase(
        "ProcessRestarts",
        *gauge(f"process_start_time_seconds{{{LABELS}}}", "1x8 2x3 3x3 4x10", "1x10 2x30"),
        PROCESS,
    ),
    AlertCase(
        "ReleasesDiffer",
        {
            'ordermill_build_info{version="1",instance="a"}': "1x120",
            'ordermill_build_info{version="2",instance="b"}': "1x120",
        },
        {
            'ordermill_build_info{version="1",instance="a"}': "1x120",
            'ordermill_build_info{version="1",instance="b"}': "1x120",
        },
        at="90m",
    ),
    AlertCase(
        "EndpointDisabled",
        endpoint("endpoint_enabled", "1x40", "0x40"),
        endpoint("endpoint_enabled", "1x40", "1x40"),
        {"endpoint": "Custom"},
    ),
    AlertCase(
        "CircuitOpen",
        endpoint("circuit_open", "1x40", "0x40"),
        endpoint("circuit_open", "0x40", "0x40"),
        {"endpoint": "default"},
    ),
    AlertCase(
        "WebhooksFileRefused",
        *gauge("ordermill_action_trigger_webhooks_file_refused", "1x40", "0x40"),
    ),
    AlertCase(
        "CertificateEndsSoon", *gauge(CERTIFICATE, expires(13), expires(15)), CERTIFICATE_LABELS
    ),
    AlertCase("CertificateEnds", *gauge(CERTIFICATE, expires(1.9), expires(3)), CERTIFICATE_LABELS),
    AlertCase("ConsumerLate", lag(90), lag(30), LATE),
    AlertCase("ConsumerVeryLate", lag(1_000), lag(800), LATE),
    AlertCase(
        "DeliveriesOverdue",
        *gauge("ordermill_action_trigger_overdue_deliveries", "3x40", "3x18 0x20"),
    ),
    AlertCase(
        "DeliveryPendingForLong",
        *gauge("ordermill_action_trigger_oldest_pending_seconds", "25000x40", "20000x40"),
    ),
    AlertCase(
        "HealingLate",
        *gauge("ordermill_enricher_healing_oldest_seconds", "2000x40", "1000x40"),
    ),
    AlertCase(
        "HeldActionsEnd", *gauge("ordermill_enricher_held_oldest_seconds", "75000x40", "70000x40")
    ),
    AlertCase("UnknownKeys", *gauge(f'{REFUSED}{{code="Unauthorized"}}', "0+10x40", "0+1x40"), {}),
    AlertCase("GatewayOverloaded", *gauge(f'{REFUSED}{{code="Overloaded"}}', "0+1x40", "5x40"), {}),
    AlertCase("AccessLogLost", *gauge("ordermill_gateway_log_lines_lost_total", "0+1x40", "7x40")),
    AlertCase(
        "DeadLetters", *counted(LETTERS), {"topic": "orders.commands", "code": "ValidationFailed"}
    ),
    AlertCase("RecordsFailAlone", *gauge("ordermill_writer_suspects", "2x40", "2x3 0x40")),
    AlertCase(
        "DocumentsUnreadable",
        *counted('ordermill_unreadable_documents_total{collection="orders"}'),
        {"collection": "orders"},
    ),
    AlertCase(
        "SweepRepairs", *counted('ordermill_enricher_repaired_total{what="job"}'), {"what": "job"}
    ),
    AlertCase("OrdersPassedOver", *counted("ordermill_enricher_passed_over_total")),
    AlertCase("ContactsMissing", missing_contacts(5, 1), missing_contacts(5, 20)),
    AlertCase("CommandsMisrouted", *counted("ordermill_writer_misrouted_total")),
    AlertCase("AcceptBurnsFast", requests(900, 60, 40), requests(1000, 0, 1), at="90m"),
    AlertCase("AcceptBurnsSlowly", requests(990, 0, 10), requests(999, 1, 0), at="380m"),
    AlertCase(
        "OrderToWebhookBurnsFast",
        orders((100, 100), (50, 100)),
        orders((100, 100), (99, 100)),
        at="90m",
    ),
    AlertCase(
        "OrderToWebhookBurnsSlowly",
        orders((92, 100), (100, 100)),
        orders((97, 100), (99, 100)),
        at="380m",
    ),
)
