"""Alerts about causes: something is away, stands still, or is set wrongly."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from order_operations.observability.alert import Alert
from order_operations.observability.timing import MINUTE, Timing

SERVICES: Final = 'job=~"ordermill-.+"'
MACHINES: Final = "ordermill-machines"
"""The job of the node_exporters on the machines of Kafka and MongoDB."""
DISK_FREE: Final = (
    f'node_filesystem_avail_bytes{{job="{MACHINES}"}}'
    f' / node_filesystem_size_bytes{{job="{MACHINES}"}}'
)
KAFKA_AWAY: Final = "KafkaAway"
MONGODB_AWAY: Final = "MongoDBAway"
SERVICE_DOWN: Final = "ServiceDown"
LOOP_STALLED: Final = "LoopStalled"
ENDPOINT_DISABLED: Final = "EndpointDisabled"
CIRCUIT_OPEN: Final = "CircuitOpen"
INSTANCE_DOWN: Final = "InstanceDown"
KAFKA_REPLICAS_MISSING: Final = "KafkaReplicasMissing"
MONGODB_MEMBER_AWAY: Final = "MongoDBMemberAway"
BACKENDS: Final = (KAFKA_AWAY, MONGODB_AWAY)
WEAKENED: Final = (INSTANCE_DOWN, KAFKA_REPLICAS_MISSING, MONGODB_MEMBER_AWAY)
"""What goes on with what is left, after the seconds in which that takes over."""
DAY: Final = timedelta(days=1)


def cause_alerts(timing: Timing) -> tuple[Alert, ...]:
    return (*_backends(), *_processes(timing), *_endpoints(), *_certificates(), _disk())


def _away(dependency: str) -> str:
    """Return the expression for what most processes miss: one alone may have a network problem."""
    series = f'ordermill_dependency_up{{dependency="{dependency}"}}'
    return f"avg({series}) <= 0.5"


def _backends() -> tuple[Alert, ...]:
    return (
        Alert(
            name=KAFKA_AWAY,
            runbook="backends",
            expr=_away("kafka"),
            severity="critical",
            summary="Kafka answers at most half of the processes: writes are refused with 503.",
            for_=MINUTE / 2,
        ),
        Alert(
            name=MONGODB_AWAY,
            runbook="backends",
            expr=_away("mongodb"),
            severity="critical",
            summary="MongoDB answers at most half of the processes: reads are refused, and what was"
            " written waits.",
            for_=MINUTE / 2,
        ),
        Alert(
            name="BackendUnreachable",
            runbook="backends",
            expr="min by (job, instance, dependency) (ordermill_dependency_up) == 0",
            labels=("job", "instance", "dependency"),
            severity="warning",
            summary="{{ $labels.instance }} of {{ $labels.job }} gets no answer from"
            " {{ $labels.dependency }}.",
            for_=2 * MINUTE,
            causes=BACKENDS,
        ),
        Alert(
            name=KAFKA_REPLICAS_MISSING,
            runbook="backends",
            expr="max(ordermill_kafka_under_replicated_partitions) > 0",
            severity="warning",
            summary="A Kafka broker is away or behind: {{ $value }} partitions of a topic lack"
            " replicas. The next broker that is lost may stop writes.",
            for_=2 * MINUTE,
            causes=(KAFKA_AWAY,),
        ),
        Alert(
            name=MONGODB_MEMBER_AWAY,
            runbook="backends",
            expr="min(ordermill_mongodb_unreachable_members) > 0",
            severity="warning",
            summary="No process reaches {{ $value }} members of MongoDB's replica set: the next one"
            " that is lost may stop it.",
            for_=2 * MINUTE,
            causes=(MONGODB_AWAY,),
        ),
    )


def _processes(timing: Timing) -> tuple[Alert, ...]:
    quarter = timing.text(15 * MINUTE)
    return (
        Alert(
            name=SERVICE_DOWN,
            runbook="processes",
            expr=f"max by (job) (up{{{SERVICES}}}) == 0",
            labels=("job",),
            severity="critical",
            summary="No process of {{ $labels.job }} answers Prometheus.",
        ),
        Alert(
            name=INSTANCE_DOWN,
            runbook="processes",
            expr=f"up{{{SERVICES}}} == 0",
            labels=("job", "instance"),
            severity="warning",
            summary="{{ $labels.instance }} of {{ $labels.job }} doesn't answer Prometheus: it is"
            " dead, frozen or out of reach.",
            for_=2 * MINUTE,
            causes=(SERVICE_DOWN,),
        ),
        Alert(
            name=LOOP_STALLED,
            runbook="processes",
            expr="ordermill_live == 0",
            labels=("job", "instance"),
            severity="critical",
            summary="A loop of {{ $labels.instance }} of {{ $labels.job }} stands still, although"
            " Kafka and MongoDB answer it.",
        ),
        Alert(
            name="NotReady",
            runbook="processes",
            expr="ordermill_ready == 0",
            labels=("job", "instance"),
            severity="warning",
            summary="{{ $labels.instance }} of {{ $labels.job }} has not been ready for long.",
            for_=5 * MINUTE,
            causes=BACKENDS,
        ),
        Alert(
            name="ProcessRestarts",
            runbook="processes",
            expr=f"changes(process_start_time_seconds{{{SERVICES}}}[{quarter}]) >= 3",
            labels=("job", "instance"),
            severity="warning",
            summary="{{ $labels.instance }} of {{ $labels.job }} was started three times lately.",
        ),
        Alert(
            name="ReleasesDiffer",
            runbook="processes",
            expr="count(count by (version) (ordermill_build_info)) > 1",
            severity="info",
            summary="Processes of two releases have been running side by side for an hour.",
            for_=60 * MINUTE,
        ),
    )


def _endpoints() -> tuple[Alert, ...]:
    return (
        Alert(
            name=ENDPOINT_DISABLED,
            runbook="deliveries",
            expr="min by (endpoint) (ordermill_action_trigger_endpoint_enabled) == 0",
            labels=("endpoint",),
            severity="critical",
            summary="No webhooks are sent to the endpoint {{ $labels.endpoint }}: it answered 410,"
            " or an operator disabled or paused it.",
        ),
        Alert(
            name=CIRCUIT_OPEN,
            runbook="deliveries",
            expr="max by (endpoint) (ordermill_action_trigger_circuit_open) == 1",
            labels=("endpoint",),
            severity="critical",
            summary="The endpoint {{ $labels.endpoint }} fails, and is only probed.",
            causes=(ENDPOINT_DISABLED,),
        ),
        Alert(
            name="WebhooksFileRefused",
            runbook="deliveries",
            expr="max(ordermill_action_trigger_webhooks_file_refused) == 1",
            severity="warning",
            summary="The webhooks file was changed and can't be used; the one before goes on.",
        ),
    )


def _disk() -> Alert:
    return Alert(
        name="DiskFills",
        runbook="backends",
        expr=f"min by (instance, mountpoint) ({DISK_FREE}) < 0.15",
        labels=("instance", "mountpoint"),
        severity="critical",
        summary="The disk {{ $labels.mountpoint }} of {{ $labels.instance }} has"
        " {{ $value | humanizePercentage }} left: a broker or a mongod whose disk is full stops.",
        for_=5 * MINUTE,
    )


def _certificates() -> tuple[Alert, ...]:
    left = "min by (job, certificate) (ordermill_tls_certificate_expiry_timestamp_seconds) - time()"
    ends = "The certificate {{ $labels.certificate }} of {{ $labels.job }} ends in"
    return (
        Alert(
            name="CertificateEndsSoon",
            runbook="certificates",
            expr=f"{left} < {14 * DAY.total_seconds():.0f}",
            labels=("job", "certificate"),
            severity="warning",
            summary=f"{ends} {{{{ $value | humanizeDuration }}}}.",
            causes=("CertificateEnds",),
        ),
        Alert(
            name="CertificateEnds",
            runbook="certificates",
            expr=f"{left} < {2 * DAY.total_seconds():.0f}",
            labels=("job", "certificate"),
            severity="critical",
            summary=f"{ends} {{{{ $value | humanizeDuration }}}}.",
        ),
    )
