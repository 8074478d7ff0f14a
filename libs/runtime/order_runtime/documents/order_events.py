"""The event that announces a command's outcome, made from its entry in the ledger. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import orjson

from order_contracts.events import EventType, OrderEvent
from order_contracts.job import Operation
from order_runtime.documents.jobs import LedgerEntry
from order_runtime.documents.orders import LiveOrder, Tombstone

EVENT_TYPES: Final[Mapping[Operation, EventType]] = MappingProxyType(
    {
        Operation.REGISTER: EventType.REGISTERED,
        Operation.REPLACE: EventType.REPLACED,
        Operation.DELETE: EventType.DELETED,
        Operation.CHANGE_STATUS: EventType.STATUS_CHANGED,
        Operation.CHANGE_DELIVERY: EventType.DELIVERY_CHANGED,
        Operation.ACTION: EventType.ACTION_REQUESTED,
    }
)
"""What an operation that was applied is announced as."""


def event_type(entry: LedgerEntry) -> EventType:
    """Return what is announced; derived from the ledger, so that a repeat says the same."""
    if entry.failure is not None:
        return EventType.REJECTED
    applied = entry.version is not None or entry.action is not None
    if not applied or entry.alias_of is not None:
        return EventType.UNCHANGED
    return EVENT_TYPES[entry.operation]


def order_event(entry: LedgerEntry, state: LiveOrder | Tombstone | None) -> OrderEvent:
    """Return the event of *entry*, with the order in the *state* in which it is stored now."""
    return OrderEvent(
        job_id=entry.job_id,
        order_id=entry.order_id or "",
        version=entry.version,
        order_version=state.version if state else None,
        registration=entry.registration,
        order=state.view() if isinstance(state, LiveOrder) else None,
        action=entry.action,
        error=entry.failure,
    )


def event_json(entry: LedgerEntry, version: int | None, order: bytes | None) -> bytes:
    """
    Return `order_event` as JSON, of an order of that version whose view is *order*, as JSON, too.

    So an order that several commands of a batch met is written once.
    """
    members = {
        "jobId": entry.job_id,
        "orderId": entry.order_id or "",
        "version": entry.version,
        "orderVersion": version,
        "registration": entry.registration,
        "order": order and orjson.Fragment(order),
        "action": entry.action and orjson.Fragment(entry.action.to_json()),
        "error": entry.failure and orjson.Fragment(entry.failure.to_json()),
    }
    return orjson.dumps({name: it for name, it in members.items() if it is not None})
