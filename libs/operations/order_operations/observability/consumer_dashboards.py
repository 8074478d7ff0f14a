"""The dashboards of the order-writer and the enricher."""

from __future__ import annotations

from order_operations.observability.panel import Dashboard, Panel, Query, Row, quantiles, rate
from order_operations.observability.shared_panels import (
    HEALING,
    HEALING_OLDEST,
    LAG,
    LAG_RECORDS,
    service_dashboard,
)


def order_writer() -> Dashboard:
    work = (
        Panel(
            "Commands by outcome",
            "A second; `Applied`, or the code of the failure.",
            (Query(rate("ordermill_writer_commands_total", "outcome"), "{{outcome}}"),),
            "ops",
        ),
        Panel(
            "Commands by operation",
            "A second.",
            (Query(rate("ordermill_writer_commands_total", "operation"), "{{operation}}"),),
            "ops",
        ),
        Panel(
            "Repeats",
            "Commands whose job was there already: after a crash, a rebalance, or sent twice.",
            (Query("sum(rate(ordermill_writer_ledger_hits_total[$__rate_interval]))", "hits"),),
            "ops",
        ),
        Panel(
            "Misrouted",
            "Commands of publishers whose partitioner isn't murmur2; 0 in a healthy system.",
            (Query("sum(ordermill_writer_misrouted_total)", "misrouted"),),
            "short",
            "stat",
        ),
    )
    time = (
        Panel(
            "Accepted to stored",
            "From a command's arrival in Kafka to its order being stored.",
            quantiles("ordermill_writer_stored_seconds"),
            "s",
        ),
        Panel("Time of a batch", "", quantiles("ordermill_writer_batch_seconds"), "s"),
        Panel(
            "Time by step",
            "Of a batch.",
            quantiles("ordermill_writer_step_seconds", by="step"),
            "s",
        ),
        Panel("Commands in a batch", "", quantiles("ordermill_writer_batch_commands")),
    )
    trouble = (
        LAG,
        LAG_RECORDS,
        Panel(
            "Waits",
            "Times a second that a batch had to wait for MongoDB or Kafka.",
            (Query(rate("ordermill_writer_waits_total", "dependency"), "{{dependency}}"),),
            "ops",
        ),
        Panel(
            "Conflicts",
            "Transactions a second that met another writer's.",
            (Query("sum(rate(ordermill_writer_conflicts_total[$__rate_interval]))", "conflicts"),),
            "ops",
        ),
        Panel(
            "Suspects and poison",
            "Records in hand that fail alone, and those that were refused for it.",
            (
                Query("max(ordermill_writer_suspects)", "suspects"),
                Query("sum(ordermill_writer_poison_total)", "refused"),
            ),
        ),
    )
    return service_dashboard(
        "order-writer", Row("Work", work), Row("Time", time), Row("Trouble", trouble)
    )


def enricher() -> Dashboard:
    work = (
        Panel(
            "Events",
            "Handled a second, by type.",
            (Query(rate("ordermill_enricher_events_total", "type"), "{{type}}"),),
            "ops",
        ),
        Panel(
            "Outcomes",
            "Jobs whose enrichment was decided, a second.",
            (Query(rate("ordermill_enricher_outcomes_total", "state"), "{{state}}"),),
            "ops",
        ),
        Panel(
            "Actions",
            "Fired, held and dropped, a second.",
            (Query(rate("ordermill_enricher_actions_total", "state"), "{{state}}"),),
            "ops",
        ),
        Panel(
            "Reference records",
            "Read a second.",
            (Query(rate("ordermill_enricher_references_total", "topic"), "{{topic}}"),),
            "ops",
        ),
    )
    time = (
        Panel("Accepted to enriched", "", quantiles("ordermill_enricher_enriched_seconds"), "s"),
        Panel(
            "Time of a batch", "", quantiles("ordermill_enricher_batch_seconds", by="topic"), "s"
        ),
        Panel(
            "Time by step",
            "Of events.",
            quantiles("ordermill_enricher_step_seconds", by="step"),
            "s",
        ),
        Panel("Records in a batch", "", quantiles("ordermill_enricher_batch_records", by="topic")),
    )
    waiting = (
        LAG,
        Panel(
            "Held actions",
            "They wait for their order's contact.",
            (Query("max(ordermill_enricher_held_actions)", "held"),),
        ),
        Panel(
            "Oldest held action",
            "It is dropped at the end of its window, 24 hours by default.",
            (Query("max(ordermill_enricher_held_oldest_seconds)", "oldest"),),
            "s",
        ),
        HEALING,
        HEALING_OLDEST,
        Panel(
            "Repaired by the sweep",
            "What a stream should have done; 0 in a healthy system.",
            (Query("sum by (what) (ordermill_enricher_repaired_total)", "{{what}}"),),
        ),
    )
    return service_dashboard(
        "enricher", Row("Work", work), Row("Time", time), Row("Waiting", waiting)
    )
