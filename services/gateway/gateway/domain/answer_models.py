"""From documents of MongoDB to the models of answers. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from order_contracts.answers import Attempt, CheckResult, DeliveryState, Differing, Expected
from order_contracts.integration_log import LogEntry
from order_contracts.order import Order
from order_runtime.documents.document import Document
from order_runtime.documents.orders import LiveOrder, order_of


def order_view(document: Document, contact_id: str | None) -> Order:
    """Return an order as it is answered, with the contact it is linked to."""
    state = order_of(document)
    if not isinstance(state, LiveOrder):
        raise TypeError("the order was deleted")
    return state.view(contact_id)


def log_entry_of(document: Document) -> LogEntry:
    return LogEntry.model_validate({**document, "id": document["_id"]})


DELIVERY_STATE_FIELDS: Final = dict.fromkeys(
    ("jobId", "action", "state", "attempts.at", "attempts.status", "attempts.durationMs"), 1
)
"""What `delivery_state_of` reads; a delivery keeps its whole order as well."""


def delivery_state_of(document: Document) -> DeliveryState:
    return DeliveryState(
        action_id=document["_id"],
        job_id=document["jobId"],
        action=document["action"],
        state=document["state"],
        attempts=tuple(
            Attempt(
                at=attempt["at"],
                status=attempt.get("status"),
                duration_ms=attempt.get("durationMs"),
            )
            for attempt in document.get("attempts", ())
        ),
    )


def check_result(expected: Sequence[Expected], tags: Mapping[str, str]) -> CheckResult:
    """Return which expected orders are missing or differ, by the *tags* of those that exist."""
    return CheckResult(
        checked=len(expected),
        missing=tuple(order.order_id for order in expected if order.order_id not in tags),
        differing=tuple(
            Differing(order_id=order.order_id, version_tag=tags[order.order_id])
            for order in expected
            if order.version_tag is not None
            and tags.get(order.order_id, order.version_tag) != order.version_tag
        ),
    )
