"""How each command changes an order that exists, and how a registration creates one. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from order_contracts.commands import (
    ChangeOrderDelivery,
    ChangeOrderStatus,
    RegisterOrder,
    ReplaceOrder,
)
from order_contracts.order import Delivery, Order, OrderStatus
from order_runtime.documents.orders import LiveOrder, Tombstone
from order_writer.domain.preconditions import Change

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def first_version(before: Tombstone | None, now: datetime) -> int:
    """
    Return the version of a registration: at least its append time, in milliseconds since 1970.

    So it exceeds those of every earlier life of the orderId, also of one whose tombstone has
    expired: no life makes a thousand versions a second until its tombstone is gone.
    """
    after_tombstone = before.version + 1 if before else 1
    return max(after_tombstone, (now - _EPOCH) // _MILLISECOND)


def registered(
    command: RegisterOrder, version: int, job_id: str, now: datetime, size: int
) -> LiveOrder:
    """Return the order that a registration creates; *size* is an estimate."""
    return LiveOrder(
        order=command,
        version=version,
        contact_version=version,
        contact_since=version,
        contact_since_at=now,
        job_id=job_id,
        registered_by=job_id,
        registered_at=now,
        updated_at=now,
        status_changed_at=command.last_changed_at,
        delivery_changed_at=command.last_changed_at,
        cancelled_since=version if command.status is OrderStatus.CANCELLED else None,
        size=size,
    )


def changed(before: LiveOrder, command: Change, job_id: str, now: datetime, size: int) -> LiveOrder:
    """Return the next version of an order; *size* is an estimate."""
    after = replace(
        _with_content(before, command),
        version=before.version + 1,
        job_id=job_id,
        updated_at=now,
        size=size,
    )
    after = replace(after, cancelled_since=_cancelled_since(before, after))
    return _with_contact(before, after) if isinstance(command, ReplaceOrder) else after


def _with_content(before: LiveOrder, command: Change) -> LiveOrder:
    at = command.last_changed_at
    match command:
        case ReplaceOrder():
            return replace(
                before,
                order=command,
                status_changed_at=at or before.status_changed_at,
                delivery_changed_at=at or before.delivery_changed_at,
            )
        case ChangeOrderStatus():
            return replace(before, order=_with_status(before.order, command), status_changed_at=at)
        case ChangeOrderDelivery():
            order = _with_delivery(before.order, command)
            return replace(before, order=order, delivery_changed_at=at)


def _with_status(order: Order, command: ChangeOrderStatus) -> Order:
    """Return the order with its new status, or external status; the one that is absent stays."""
    fields = {
        "status": command.status,
        "external_status": command.external_status,
        "last_changed_at": command.last_changed_at,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    return order.model_copy(update=given)


def _with_delivery(order: Order, command: ChangeOrderDelivery) -> Order:
    """Return the order with the given fields of its delivery; null clears, absent stays."""
    given = command.delivery.model_fields_set
    update = {name: getattr(command.delivery, name) for name in given}
    delivery = (order.delivery or Delivery()).model_copy(update=update)
    return order.model_copy(
        update={"delivery": delivery, "last_changed_at": command.last_changed_at}
    )


def _cancelled_since(before: LiveOrder, after: LiveOrder) -> int | None:
    if after.order.status is not OrderStatus.CANCELLED:
        return None
    return before.cancelled_since or after.version


def _with_contact(before: LiveOrder, after: LiveOrder) -> LiveOrder:
    """Return a replaced order, to be enriched anew; an equal contact keeps its version and time."""
    replaced = replace(after, contact_version=after.version)
    if after.order.contact == before.order.contact:
        return replaced
    return replace(replaced, contact_since=after.version, contact_since_at=after.updated_at)
