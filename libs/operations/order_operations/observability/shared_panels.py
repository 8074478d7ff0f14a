"""Panels that several dashboards have."""

from __future__ import annotations

from typing import Final

from order_operations.observability.causes import DISK_FREE
from order_operations.observability.panel import Dashboard, Panel, Query, Row, quantiles, rate

LAG: Final = Panel(
    "Lag",
    "The age of the oldest record that a group has not processed; usually below a second.",
    (
        Query(
            "max by (group, topic) (ordermill_consumer_lag_seconds)",
            "{{group}} {{topic}}",
        ),
    ),
    "s",
)
LAG_RECORDS: Final = Panel(
    "Lag in records",
    "Offsets from the first unprocessed record to the end of the topic.",
    (
        Query(
            "max by (group, topic) (ordermill_consumer_lag_records)",
            "{{group}} {{topic}}",
        ),
    ),
)
DEPENDENCIES: Final = Panel(
    "Kafka and MongoDB",
    "The share of processes that each answers; 1 is all.",
    (Query("avg by (dependency) (ordermill_dependency_up)", "{{dependency}}"),),
    "percentunit",
)
REPLICAS: Final = Panel(
    "Replicas that are missing",
    "Partitions that lack replicas, by topic, and members of MongoDB that no process reaches.",
    (
        Query("max by (topic) (ordermill_kafka_under_replicated_partitions)", "{{topic}}"),
        Query("min(ordermill_mongodb_unreachable_members)", "MongoDB"),
    ),
)
DISKS: Final = Panel(
    "Disks",
    "What is left on the machines of Kafka and MongoDB, as their node_exporters say.",
    (Query(f"min by (instance, mountpoint) ({DISK_FREE})", "{{instance}} {{mountpoint}}"),),
    "percentunit",
)
DEAD_LETTERS: Final = Panel(
    "Dead letters",
    "By the topic that the record came from and the code of the reason; 0 in a healthy system.",
    (
        Query(
            "sum by (topic, code) (increase(ordermill_dead_letters_total[1h]))",
            "{{topic}} {{code}}",
        ),
    ),
)
ATTEMPTS: Final = Panel(
    "Webhooks by outcome",
    "Attempts a second. `retry` is tried again, `failed` is given up, `disabled` is a 410.",
    (
        Query(
            rate("ordermill_action_trigger_attempts_total", "endpoint, outcome"),
            "{{endpoint}} {{outcome}}",
        ),
    ),
    "ops",
)
ENDPOINTS: Final = Panel(
    "Endpoints",
    "enabled: 1 where webhooks are sent. circuit: 1 where the endpoint fails and is only probed.",
    (
        Query(
            "min by (endpoint) (ordermill_action_trigger_endpoint_enabled)",
            "{{endpoint}} enabled",
        ),
        Query(
            "max by (endpoint) (ordermill_action_trigger_circuit_open)",
            "{{endpoint}} circuit",
        ),
    ),
)
UNDELIVERED: Final = Panel(
    "Oldest undelivered",
    "The age of the oldest delivery that hasn't ended. Retries go on for up to 75 hours.",
    (Query("max(ordermill_action_trigger_oldest_pending_seconds)", "oldest"),),
    "s",
)
OVERDUE: Final = Panel(
    "Deliveries overdue",
    "Due two minutes ago and not sent; 0 in a healthy system.",
    (Query("max(ordermill_action_trigger_overdue_deliveries)", "overdue"),),
    "short",
    "stat",
)
DELIVERED: Final = Panel(
    "Fired to delivered",
    "From an action being on Kafka to its webhook being taken.",
    quantiles("ordermill_action_trigger_delivered_seconds"),
    "s",
)
ORDER_TO_WEBHOOK: Final = Panel(
    "Order to webhook",
    "From accepting a command to its webhook being taken, with the time that an action was held.",
    quantiles("ordermill_action_trigger_order_to_webhook_seconds"),
    "s",
)
HEALING: Final = Panel(
    "Healing backlog",
    "Changes of reference data, merges and erasures whose orders have yet to be looked at.",
    (Query("max(ordermill_enricher_healing_items)", "changes"),),
)
HEALING_OLDEST: Final = Panel(
    "Oldest change to heal",
    "Some milliseconds for each order that it affects.",
    (Query("max(ordermill_enricher_healing_oldest_seconds)", "oldest"),),
    "s",
)
PROCESSES: Final = Panel(
    "Processes",
    "How many of each service answer Prometheus.",
    (Query('sum by (job) (up{job=~"ordermill-.+"})', "{{job}}"),),
)
UNREADABLE: Final = Panel(
    "Unreadable documents",
    "Stored documents that could not be read, by collection; the log names each.",
    (
        Query(
            "sum by (collection) (ordermill_unreadable_documents_total) or vector(0)",
            "{{collection}}",
        ),
    ),
)


def process_panels(job: str) -> tuple[Panel, ...]:
    """Return what is shown of the processes of every service."""
    where = f'job="{job}"'
    return (
        Panel(
            "CPU",
            "Seconds of CPU a second, of each process; the services use one core at most.",
            (Query(rate("process_cpu_seconds_total", "instance", where), "{{instance}}"),),
            "percentunit",
        ),
        Panel(
            "Memory",
            "Resident bytes of each process.",
            (Query(f"process_resident_memory_bytes{{{where}}}", "{{instance}}"),),
            "bytes",
        ),
        Panel(
            "State",
            "ready: takes work. live: no loop stands still.",
            (
                Query(f"ordermill_ready{{{where}}}", "{{instance}} ready"),
                Query(f"ordermill_live{{{where}}}", "{{instance}} live"),
            ),
        ),
        Panel(
            "Kafka and MongoDB, as each process sees them",
            "1 while it answers.",
            (Query(f"ordermill_dependency_up{{{where}}}", "{{instance}} {{dependency}}"),),
        ),
        Panel(
            "Spans of traces",
            "A second; dropped where too many waited, failed where nobody took them.",
            (Query(rate("ordermill_trace_spans_total", "outcome", where), "{{outcome}}"),),
        ),
    )


def service_dashboard(name: str, *rows: Row) -> Dashboard:
    """Return the dashboard of a service, which ends with its processes."""
    processes = Row("Processes", process_panels(f"ordermill-{name}"))
    return Dashboard(f"ordermill-{name}", f"Ordermill: {name}", (*rows, processes))
