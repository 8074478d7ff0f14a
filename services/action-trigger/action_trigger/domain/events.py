"""What is announced of a delivery that ended: its event on Kafka and its integration log entry."""

from __future__ import annotations

from action_trigger.domain.delivery import EndedDelivery
from order_contracts.cloudevents import Envelope
from order_contracts.derived_ids import derived, event_id
from order_contracts.events import ActionDelivered, ActionFailed
from order_contracts.integration_log import LogEntry, log_entry
from order_contracts.topics import DELIVERIES, TRIGGER
from order_runtime.documents.deliveries import DELIVERED, FAILED
from order_runtime.kafka.records import Outgoing


def outcome_event(ended: EndedDelivery) -> Outgoing | None:
    """
    Return ActionDelivered or ActionFailed, None for a delivery that was replayed or dropped.

    Announced twice, an outcome has the same id; the outcome after a replay has another one.
    """
    if ended.state == DELIVERED:
        data: ActionDelivered | ActionFailed = _delivered(ended)
    elif ended.state == FAILED:
        data = _failed(ended)
    else:
        return None
    envelope = Envelope(
        id=_event_id(ended, data.TYPE),
        source=f"/{TRIGGER}",
        type=data.TYPE,
        time=ended.at,
        subject=ended.order_id,
        traceparent=ended.traceparent,
    )
    return Outgoing(DELIVERIES.name, ended.order_id.encode(), data.to_json(), envelope.headers())


def failure_entry(ended: EndedDelivery) -> LogEntry:
    """Return the log entry of a failed delivery; it has the same id after each replay."""
    return log_entry(
        "ActionFailed",
        job_id=ended.job_id,
        order_id=ended.order_id,
        at=ended.at,
        reference=str(ended.action),
    )


def _event_id(ended: EndedDelivery, event_type: str) -> str:
    if not ended.round:
        return event_id(ended.job_id, event_type)
    return derived("event", ended.job_id, event_type, ended.round)


def _delivered(ended: EndedDelivery) -> ActionDelivered:
    return ActionDelivered(
        action_id=ended.id,
        job_id=ended.job_id,
        order_id=ended.order_id,
        action=ended.action,
        attempts=ended.attempts,
        status_code=ended.status or 0,
    )


def _failed(ended: EndedDelivery) -> ActionFailed:
    return ActionFailed(
        action_id=ended.id,
        job_id=ended.job_id,
        order_id=ended.order_id,
        action=ended.action,
        attempts=ended.attempts,
        status_code=ended.status,
        reason=ended.reason or "",
    )
