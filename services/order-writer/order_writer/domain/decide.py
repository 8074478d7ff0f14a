"""
What a command means for an order. Pure: no IO, no clock, no logging.

`now` is the broker's append time of the command, so that what is decided depends on the log alone
and can be replayed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from order_contracts.cloudevents import UNGUARDED, DeleteGuard
from order_contracts.commands import (
    ChangeOrderDelivery,
    ChangeOrderStatus,
    Command,
    DeleteOrder,
    RegisterOrder,
    ReplaceOrder,
    TriggerOrderAction,
)
from order_contracts.errors import Failure, failure
from order_contracts.identity import version_tag
from order_contracts.job import JobWarning
from order_contracts.order import ActionRequest, Delivery, Order, OrderStatus
from order_runtime.documents.orders import LiveOrder, Tombstone
from order_writer.domain.totals import totals_mismatch

Change = ChangeOrderStatus | ChangeOrderDelivery
OrderState = LiveOrder | Tombstone | None

MAX_ORDER_BYTES: Final = 768 * 1024


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A command and what came with it."""

    command: Command
    job_id: str
    size: int
    """Bytes of the command's data."""
    if_match: str | None = None
    suppress_actions: bool = False
    guard: DeleteGuard = UNGUARDED


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What became of a command: applied (a version, or an action), unchanged, or failed."""

    version: int | None = None
    failure: Failure | None = None
    action: ActionRequest | None = None
    warnings: tuple[JobWarning, ...] = ()


def decide(
    state: OrderState, request: CommandRequest, now: datetime
) -> tuple[OrderState, CommandOutcome]:
    """Return the order's next state and what became of the command."""
    command = request.command
    if isinstance(command, RegisterOrder):
        return _register(state, command, request, now)
    if request.guard != UNGUARDED and not _is_meant(request.guard, state):
        return state, CommandOutcome()
    if not isinstance(state, LiveOrder):
        return state, _failed("OrderNotFound", "There is no order with this orderId.")
    return _applied_to(state, command, request, now)


def _applied_to(
    state: LiveOrder,
    command: ReplaceOrder | DeleteOrder | Change | TriggerOrderAction,
    request: CommandRequest,
    now: datetime,
) -> tuple[OrderState, CommandOutcome]:
    if (refusal := _precondition(state, request)) is not None:
        return state, CommandOutcome(failure=refusal)
    match command:
        case DeleteOrder():
            version = state.version + 1
            return Tombstone(version, now), CommandOutcome(version=version)
        case TriggerOrderAction():
            return state, _triggered(state, command, request)
        case _:
            return _change(state, command, request, now)


def _is_meant(guard: DeleteGuard, state: OrderState) -> bool:
    return (
        isinstance(state, LiveOrder)
        and guard.registration in {None, state.registered_by}
        and guard.since in {None, state.contact_since}
    )


def _register(
    state: OrderState, command: RegisterOrder, request: CommandRequest, now: datetime
) -> tuple[OrderState, CommandOutcome]:
    if isinstance(state, LiveOrder):
        detail = f"An order with this orderId exists; job {state.registered_by} registered it."
        return state, _failed("OrderExists", detail)
    version = state.version + 1 if state else 1
    registered = LiveOrder(
        order=command,
        version=version,
        contact_version=version,
        contact_since=version,
        contact_since_at=now,
        job_id=request.job_id,
        registered_by=request.job_id,
        registered_at=now,
        updated_at=now,
        status_changed_at=command.last_changed_at,
        delivery_changed_at=command.last_changed_at,
        cancelled_since=version if command.status is OrderStatus.CANCELLED else None,
    )
    return _sized(state, registered, _applied(version, command, request), request.size)


def _change(
    state: LiveOrder,
    command: ReplaceOrder | ChangeOrderStatus | ChangeOrderDelivery,
    request: CommandRequest,
    now: datetime,
) -> tuple[OrderState, CommandOutcome]:
    if request.if_match is None and _is_stale(state, command):
        return state, CommandOutcome(warnings=(_STALE,))
    changed = replace(
        _changed(state, command),
        version=state.version + 1,
        job_id=request.job_id,
        updated_at=now,
    )
    changed = replace(changed, cancelled_since=_cancelled_since(state, changed))
    bound = state.size + request.size
    if isinstance(command, ReplaceOrder):
        changed, bound = _connected_anew(state, changed), request.size
    return _sized(state, changed, _applied(changed.version, command, request), bound)


def _cancelled_since(before: LiveOrder, after: LiveOrder) -> int | None:
    if after.order.status is not OrderStatus.CANCELLED:
        return None
    return before.cancelled_since or after.version


def _connected_anew(before: LiveOrder, after: LiveOrder) -> LiveOrder:
    connected = replace(after, contact_version=after.version)
    if after.order.contact == before.order.contact:
        return connected
    return replace(connected, contact_since=after.version, contact_since_at=after.updated_at)


def _changed(
    state: LiveOrder, command: ReplaceOrder | ChangeOrderStatus | ChangeOrderDelivery
) -> LiveOrder:
    at = command.last_changed_at
    match command:
        case ReplaceOrder():
            return replace(
                state,
                order=command,
                status_changed_at=at or state.status_changed_at,
                delivery_changed_at=at or state.delivery_changed_at,
            )
        case ChangeOrderStatus():
            fields: dict[str, object] = {"status": command.status, "last_changed_at": at}
            if command.external_status is not None:
                fields["external_status"] = command.external_status
            return replace(state, order=_with(state, fields), status_changed_at=at)
        case ChangeOrderDelivery():
            given = command.delivery.model_fields_set
            update = {name: getattr(command.delivery, name) for name in given}
            delivery = (state.order.delivery or Delivery()).model_copy(update=update)
            fields = {"delivery": delivery, "last_changed_at": at}
            return replace(state, order=_with(state, fields), delivery_changed_at=at)


def _with(state: LiveOrder, fields: dict[str, object]) -> Order:
    return state.order.model_copy(update=fields)


def _is_stale(
    state: LiveOrder, command: ReplaceOrder | ChangeOrderStatus | ChangeOrderDelivery
) -> bool:
    """Whether the command is older than the last change of an aspect it touches; equal is not."""
    aspects = {
        ChangeOrderStatus: (state.status_changed_at,),
        ChangeOrderDelivery: (state.delivery_changed_at,),
    }.get(type(command), (state.status_changed_at, state.delivery_changed_at))
    at = command.last_changed_at
    return at is not None and any(last is not None and at < last for last in aspects)


def _precondition(state: LiveOrder, request: CommandRequest) -> Failure | None:
    wanted, tag = request.if_match, version_tag(state.job_id)
    if wanted is None or wanted == "*" or f'"{tag}"' in map(str.strip, wanted.split(",")):
        return None
    return failure("VersionMismatch", "The order has another versionTag than If-Match names.")


def _triggered(
    state: LiveOrder, command: TriggerOrderAction, request: CommandRequest
) -> CommandOutcome:
    if command.version_tag != version_tag(state.job_id):
        # The documents answer this 404, not 412: the caller speaks of a version that is gone.
        mismatch = failure("VersionMismatch", "The order has another versionTag.")
        return CommandOutcome(failure=mismatch.model_copy(update={"status": 404}))
    if request.suppress_actions:
        return CommandOutcome()
    action = ActionRequest(action=command.action, language=command.language, data=command.data)
    return CommandOutcome(action=action)


def _applied(
    version: int,
    command: Order | ChangeOrderStatus | ChangeOrderDelivery,
    request: CommandRequest,
) -> CommandOutcome:
    mismatch = isinstance(command, Order) and totals_mismatch(command)
    return CommandOutcome(
        version=version,
        action=None if request.suppress_actions else command.order_action,
        warnings=(_TOTALS,) if mismatch else (),
    )


def _sized(
    before: OrderState, after: LiveOrder, outcome: CommandOutcome, bound: int
) -> tuple[OrderState, CommandOutcome]:
    """Refuse an order that grew too large; it is measured only where *bound* can't rule it out."""
    # Our spelling of what was sent is up to four times as long: 1e14 has 15 digits.
    size = bound if bound <= MAX_ORDER_BYTES // 4 else len(after.order.to_json())
    if size > MAX_ORDER_BYTES:
        return before, _failed("TooLarge", "The order would be larger than 768 KB.")
    return replace(after, size=size), outcome


def _failed(code: str, detail: str) -> CommandOutcome:
    return CommandOutcome(failure=failure(code, detail))


_STALE: Final = JobWarning(
    code="StaleChange", message="Older than the order's last change; it was not applied."
)
_TOTALS: Final = JobWarning(code="TotalsMismatch", message="The order's totals don't add up.")
