"""Dashboards about data: dead letters, and privacy."""

from __future__ import annotations

from order_operations.observability.panel import Dashboard, Panel, Query, Row, rate
from order_operations.observability.shared_panels import (
    DEAD_LETTERS,
    HEALING,
    HEALING_OLDEST,
    UNREADABLE,
)


def dead_letters() -> Dashboard:
    panels = (
        DEAD_LETTERS,
        Panel(
            "Dead letters since the processes started",
            "How many are open now says `orders dlq list`.",
            (
                Query(
                    "sum by (topic, code) (ordermill_dead_letters_total)",
                    "{{topic}} {{code}}",
                ),
            ),
        ),
        Panel(
            "Failed commands",
            "By code; those that can't be read are dead letters.",
            (Query(rate("ordermill_writer_commands_total", "outcome"), "{{outcome}}"),),
            "ops",
        ),
        Panel(
            "Records that fail alone",
            "Held by the order-writer, until others go well or it stops.",
            (Query("max(ordermill_writer_suspects)", "suspects"),),
        ),
        UNREADABLE,
        Panel(
            "Reference records set aside",
            "They are no dead letters: the log names each.",
            (Query("sum by (topic) (ordermill_enricher_unreadable_total)", "{{topic}}"),),
        ),
    )
    row = Row("Dead letters", panels)
    return Dashboard("ordermill-dead-letters", "Ordermill: dead letters", (row,))


def privacy() -> Dashboard:
    panels = (
        Panel(
            "Erasures",
            "Deletions of contacts whose orders and traces were ended, repeats included.",
            (Query("sum(ordermill_enricher_erased_total)", "erased"),),
        ),
        Panel(
            "Orders passed over",
            "Not reconciled, or not erased, as something of them can't be read; 0 is what it must"
            " be.",
            (Query("sum(ordermill_enricher_passed_over_total)", "passed over"),),
            "short",
            "stat",
        ),
        Panel(
            "Tombstones that wait",
            "The lag on contacts: an erasure begins when its tombstone is read.",
            (
                Query(
                    'max(ordermill_consumer_lag_seconds{topic="reference.contacts"})',
                    "contacts",
                ),
            ),
            "s",
        ),
        HEALING,
        HEALING_OLDEST,
        Panel(
            "Unknown and revoked keys",
            "Requests a second that were refused for their key, or its rights.",
            (
                Query(
                    rate(
                        "ordermill_gateway_refused_total",
                        "code",
                        'code=~"Unauthorized|Forbidden"',
                    ),
                    "{{code}}",
                ),
            ),
            "ops",
        ),
        UNREADABLE,
        Panel(
            "Certificates",
            "When each that a process holds ends; empty where none is set.",
            (
                Query(
                    "min by (job, certificate)"
                    " (ordermill_tls_certificate_expiry_timestamp_seconds) * 1000 or vector(0)",
                    "{{job}} {{certificate}}",
                ),
            ),
            "dateTimeFromNow",
            "stat",
        ),
    )
    row = Row("Personal data and access", panels)
    return Dashboard("ordermill-privacy", "Ordermill: privacy", (row,))
