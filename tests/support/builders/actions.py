"""Actions as the enricher publishes them, with the jobs that belong to them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from action_trigger.domain.delivery import EndedDelivery
from order_contracts.cloudevents import Envelope
from order_contracts.decoding import parse, read
from order_contracts.derived_ids import action_id, event_id
from order_contracts.events import OrderAction
from order_contracts.job import Operation
from order_contracts.order import ActionName, ActionRequest, Order
from order_contracts.topics import ACTIONS, ENRICHER
from order_runtime.documents.jobs import LedgerEntry, entry_document
from order_runtime.documents.orders import LiveOrder
from order_runtime.kafka.records import Outgoing
from order_runtime.mongo.client import Document
from support.builders.bodies import order_body, unique

ASKED_AT = datetime(2025, 11, 28, 10, 0, 1, tzinfo=UTC)


def order_action(
    order_id: str | None = None, action: ActionName = ActionName.CONFIRM_ORDER, **deviations: Any
) -> OrderAction:
    """Return an action of a new job; its order is valid and linked to a contact."""
    job_id = unique("job")
    order = read(Order, parse(json.dumps(order_body(order_id, **deviations)).encode()))
    live = LiveOrder(
        order=order,
        version=1,
        contact_version=1,
        contact_since=1,
        contact_since_at=ASKED_AT,
        job_id=job_id,
        registered_by=job_id,
        registered_at=ASKED_AT,
        updated_at=ASKED_AT,
    )
    return OrderAction(
        action_id=action_id(job_id),
        job_id=job_id,
        order_id=order.order_id,
        action=action,
        language="nl",
        data={"coupon": "A1"},
        order=live.view("contact-1"),
        contact_id="contact-1",
    )


def action_record(action: OrderAction) -> Outgoing:
    envelope = Envelope(
        id=event_id(action.job_id, action.TYPE),
        source=f"/{ENRICHER}",
        type=action.TYPE,
        time=ASKED_AT,
        subject=action.order_id,
    )
    return Outgoing(ACTIONS.name, action.order_id.encode(), action.to_json(), envelope.headers())


def job_document(action: OrderAction) -> Document:
    """Return the job document that the order-writer would have inserted."""
    request = ActionRequest(action=action.action)
    entry = LedgerEntry(
        job_id=action.job_id,
        order_id=action.order_id,
        operation=Operation.REGISTER,
        fingerprint="f",
        at=ASKED_AT,
        version=1,
        action=request,
    )
    now = datetime.now(UTC)  # by ASKED_AT the TTL index would remove it
    return entry_document(entry) | {"expireAt": now.replace(year=now.year + 1)}


def outgoing_headers(record: Outgoing) -> dict[str, str]:
    return {name: (value or b"").decode() for name, value in record.headers}


def ended_delivery(at: datetime, **deviations: Any) -> EndedDelivery:
    """Return a delivery that was delivered at a time, and not announced yet."""
    delivered = EndedDelivery(
        id="action-1",
        job_id="job-1",
        order_id="order-1",
        action=ActionName.CONFIRM_ORDER,
        state="delivered",
        attempts=3,
        status=204,
        reason=None,
        at=at,
        round=0,
        traceparent=None,
    )
    return replace(delivered, **deviations)
