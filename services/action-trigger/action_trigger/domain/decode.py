"""Decodes records of `orders.actions`."""

from __future__ import annotations

from dataclasses import dataclass

from action_trigger.domain.delivery import ReceivedAction
from order_contracts.cloudevents import BadHeaders, read_headers, time_of
from order_contracts.decoding import Invalid, read_announced
from order_contracts.events import OrderAction
from order_contracts.trace_context import TRACEPARENT, well_formed
from order_runtime.kafka.dead_letters import REPLAY
from order_runtime.kafka.records import Record


@dataclass(frozen=True, slots=True)
class UnreadableAction:
    record: Record
    reason: str


def decode_action(record: Record) -> ReceivedAction | UnreadableAction:
    """Return the action in *record*, or the reason why it can't be read."""
    if record.unreadable is not None:
        return UnreadableAction(record, record.unreadable)
    try:
        headers = read_headers(record.headers)
        if headers.get("ce_type") != OrderAction.TYPE:
            return UnreadableAction(record, f"The header ce_type is not {OrderAction.TYPE}")
        action = read_announced(OrderAction, record.value or b"")
    except (BadHeaders, Invalid) as error:
        return UnreadableAction(record, str(error))
    accepted_at = time_of(headers) or record.at
    return ReceivedAction(
        action_id=action.action_id,
        job_id=action.job_id,
        order_id=action.order_id,
        action=action.action,
        contact_id=action.contact_id,
        registered_at=action.order.registered_at or accepted_at,
        accepted_at=accepted_at,
        record=record,
        traceparent=well_formed(headers.get(TRACEPARENT)),
        replay=REPLAY in headers,
    )
