"""Names of the enricher's log events, each with its meaning."""

from __future__ import annotations

from typing import Final

from order_runtime.process.log_events import LogEvent

REPAIRED: Final = LogEvent(
    "repaired", "The sweep did what a stream should have done; `what` and `count` say what."
)
REFERENCE_PASSED_OVER: Final = LogEvent(
    "reference record passed over", "A record of reference data can't be read."
)
FIELDS_PASSED_OVER: Final = LogEvent(
    "reference fields passed over",
    "Optional fields of a record are empty or invalid; `record` and `fields` name them, the record "
    "counts without them.",
)
ORDER_PASSED_OVER: Final = LogEvent(
    "order passed over",
    "An order could not be reconciled for a reason nobody knows; the sweep tries it again.",
)
ORDER_NOT_ERASED: Final = LogEvent(
    "order not erased",
    "An order may be an erased contact's, and something of it can't be read: it was not deleted.",
)
STOPPING_WITHIN_A_BATCH: Final = LogEvent(
    "stopping within a batch", "The batch in hand did not end in time; its records are read again."
)
