"""What the enricher counts; each name with its sentence."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

EVENTS: Final = Counter(
    "ordermill_enricher_events", "Events of orders that were handled, by what happened.", ["type"]
)
OUTCOMES: Final = Counter(
    "ordermill_enricher_outcomes", "Jobs whose enrichment was decided, by its state.", ["state"]
)
ACTIONS: Final = Counter(
    "ordermill_enricher_actions", "Actions that were fired, held or dropped.", ["state"]
)
HEALED: Final = Counter(
    "ordermill_enricher_healed", "Orders whose link got better after it was made."
)
HEALING_ITEMS: Final = Gauge(
    "ordermill_enricher_healing_items",
    "Changes of reference data whose orders have yet to be looked at, of all enrichers, now.",
)
HEALING_OLDEST: Final = Gauge(
    "ordermill_enricher_healing_oldest_seconds",
    "The age of the oldest of them; 0 where there is none.",
)
REPAIRED: Final = Counter(
    "ordermill_enricher_repaired",
    "What the sweep found left undone, by what it was; 0 in a healthy system.",
    ["what"],
)
ERASED: Final = Counter(
    "ordermill_enricher_erased", "Deletions of contacts whose orders and traces were ended."
)
REFERENCES: Final = Counter(
    "ordermill_enricher_references", "Reference records that were read.", ["topic"]
)
UNREADABLE: Final = Counter(
    "ordermill_enricher_unreadable", "Records that could not be read and were set aside.", ["topic"]
)
PASSED_OVER: Final = Counter(
    "ordermill_enricher_passed_over",
    "Times that an order was not reconciled, or not erased, as something of it can't be read.",
)
RETRIES: Final = Counter(
    "ordermill_enricher_retries", "Attempts that failed because the database was away."
)
BATCH_SECONDS: Final = Histogram(
    "ordermill_enricher_batch_seconds",
    "Seconds from taking a batch to acknowledging it.",
    ["topic"],
)
