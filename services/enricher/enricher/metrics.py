"""What the enricher counts; each name with its sentence."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from order_contracts.events import EventType
from order_contracts.topics import ARTICLES, CONTACTS, STORES
from order_contracts.topics import EVENTS as EVENTS_TOPIC
from order_runtime.observability.batch_histogram import END_TO_END, BatchHistogram
from order_runtime.observability.metrics import DEAD_LETTERS, begin_at_zero

EVENTS: Final = Counter(
    "ordermill_enricher_events", "Events of orders that were handled, by what happened.", ["type"]
)
OUTCOMES: Final = Counter(
    "ordermill_enricher_outcomes", "Jobs whose enrichment was decided, by its state.", ["state"]
)
ACTIONS: Final = Counter(
    "ordermill_enricher_actions", "Actions that were fired, held or dropped.", ["state"]
)
ENRICHED_SECONDS: Final = BatchHistogram(
    "ordermill_enricher_enriched_seconds",
    "From accepting a command to its enrichment being recorded, its action fired or held.",
    END_TO_END,
)
HELD_ACTIONS: Final = Gauge(
    "ordermill_enricher_held_actions",
    "Actions that wait for their order's contact, of all enrichers, up to 1,000, now.",
)
HELD_OLDEST: Final = Gauge(
    "ordermill_enricher_held_oldest_seconds",
    "How long ago the command of the held action whose window ends next was accepted; 0 without.",
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
FIELD_FAULTS: Final = Counter(
    "ordermill_enricher_field_faults",
    "Optional fields of reference records that were passed over, as they are empty or invalid.",
    ["topic", "field", "reason"],
)
PASSED_OVER: Final = Counter(
    "ordermill_enricher_passed_over",
    "Times that an order was not reconciled, or not erased, as something of it can't be read.",
)
RETRIES: Final = Counter(
    "ordermill_enricher_retries", "Attempts that failed because the database was away."
)
STEP_SECONDS: Final = Histogram(
    "ordermill_enricher_step_seconds",
    "Of a batch of events: to `decide`, `commit` links and holds, `publish`, `finish` the jobs.",
    ["step"],
)
BATCH_RECORDS: Final = Histogram(
    "ordermill_enricher_batch_records",
    "Records of one topic that were handled together.",
    ["topic"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
)
BATCH_SECONDS: Final = Histogram(
    "ordermill_enricher_batch_seconds",
    "Seconds from taking a batch to acknowledging it.",
    ["topic"],
)

STEPS: Final = ("decide", "commit", "publish", "finish")
REFERENCE_TOPICS: Final = (CONTACTS.name, ARTICLES.name, STORES.name)

begin_at_zero(EVENTS, EventType)
begin_at_zero(OUTCOMES, ["done", "contactMissing", "superseded", "skipped"])
begin_at_zero(ACTIONS, ["fired", "held", "dropped"])
begin_at_zero(REPAIRED, ["job", "link", "untold", "erasure"])
begin_at_zero(STEP_SECONDS, STEPS)
for _metric in (BATCH_SECONDS, BATCH_RECORDS, UNREADABLE):
    begin_at_zero(_metric, [EVENTS_TOPIC.name, *REFERENCE_TOPICS])
begin_at_zero(REFERENCES, REFERENCE_TOPICS)
begin_at_zero(DEAD_LETTERS, [EVENTS_TOPIC.name], ["Unreadable", "InternalError"])
