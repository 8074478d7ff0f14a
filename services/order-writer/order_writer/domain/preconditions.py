"""Whether a command may be applied to an order as it is: guard, If-Match, newer changes. Pure."""

from __future__ import annotations

from datetime import datetime

from order_contracts.cloudevents import DeleteGuard
from order_contracts.commands import ChangeOrderDelivery, ChangeOrderStatus, ReplaceOrder
from order_contracts.derived_ids import version_tag
from order_contracts.errors import Failure, failure
from order_contracts.times import is_before
from order_runtime.documents.orders import LiveOrder

Change = ReplaceOrder | ChangeOrderStatus | ChangeOrderDelivery
"""The commands that change an order and carry the sender's time of the change."""


def guard_matches(guard: DeleteGuard, order: LiveOrder) -> bool:
    """Return whether the order has the registration and the contact that *guard* names."""
    return guard.registration in {None, order.registered_by} and guard.since in {
        None,
        order.contact_since,
    }


def if_match_failure(if_match: str | None, order: LiveOrder) -> Failure | None:
    """Return the failure where If-Match names other version tags than the order's."""
    tag = f'"{version_tag(order.job_id)}"'
    if if_match is None or if_match == "*" or tag in map(str.strip, if_match.split(",")):
        return None
    return failure("VersionMismatch", "The order has another versionTag than If-Match names.")


def is_stale(order: LiveOrder, command: Change) -> bool:
    """
    Return whether an aspect that the command changes was changed later, by the senders' clocks.

    Status and delivery are aspects, each with its own time; a replacement changes both. Equal
    times are not stale, and neither is a command without a time.
    """
    at = command.last_changed_at
    return at is not None and any(
        last is not None and is_before(at, last) for last in _changed_at(order, command)
    )


def _changed_at(order: LiveOrder, command: Change) -> tuple[str | datetime | None, ...]:
    match command:
        case ChangeOrderStatus():
            return (order.status_changed_at,)
        case ChangeOrderDelivery():
            return (order.delivery_changed_at,)
        case _:
            return (order.status_changed_at, order.delivery_changed_at)
