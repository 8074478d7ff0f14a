"""
What a command does to an order. Pure: no IO, no clock, no logging.

`now` is the broker's append time of the command, so that the outcome depends on the topic alone
and a replay decides the same.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from order_contracts.cloudevents import UNGUARDED, DeleteGuard
from order_contracts.commands import Command, DeleteOrder, RegisterOrder, TriggerOrderAction
from order_contracts.derived_ids import version_tag
from order_contracts.errors import Failure, failure
from order_contracts.frozen import frozen
from order_contracts.job import JobWarning
from order_contracts.order import ActionRequest, Order
from order_runtime.documents.orders import LiveOrder, Tombstone
from order_writer.domain.order_changes import changed, first_version, registered
from order_writer.domain.preconditions import Change, guard_matches, if_match_failure, is_stale
from order_writer.domain.totals import totals_mismatch

OrderState = LiveOrder | Tombstone | None
"""None: no order was ever registered under the orderId, or its tombstone has expired."""

MAX_ORDER_BYTES: Final = 768 * 1024
MAX_GROWTH: Final = 4  # 1e14 in a command has 4 characters, and as we write it 15
STALE: Final = JobWarning(
    code="StaleChange", message="Older than the order's last change; it was not applied."
)
TOTALS: Final = JobWarning(code="TotalsMismatch", message="The order's totals don't add up.")


@frozen()
class CommandRequest:
    """A command and the options that its headers carry."""

    command: Command
    job_id: str
    size: int
    """Bytes of the command's data."""
    if_match: str | None = None
    suppress_actions: bool = False
    guard: DeleteGuard = UNGUARDED


@frozen()
class CommandOutcome:
    """The result of a command: applied (with a version or an action), unchanged, or failed."""

    version: int | None = None
    failure: Failure | None = None
    action: ActionRequest | None = None
    warnings: tuple[JobWarning, ...] = ()


def decide(
    state: OrderState, request: CommandRequest, now: datetime
) -> tuple[OrderState, CommandOutcome]:
    """Return the order's next state, which is the same object if unchanged, and the outcome."""
    command = request.command
    if isinstance(command, RegisterOrder):
        return _register(state, command, request, now)
    if not isinstance(state, LiveOrder):
        # A guarded deletion that finds nothing has what it wants.
        guarded = request.guard != UNGUARDED
        return state, CommandOutcome() if guarded else _not_found()
    return _decide_existing(state, command, request, now)


def _decide_existing(
    state: LiveOrder,
    command: DeleteOrder | TriggerOrderAction | Change,
    request: CommandRequest,
    now: datetime,
) -> tuple[OrderState, CommandOutcome]:
    if not guard_matches(request.guard, state):
        return state, CommandOutcome()
    if (mismatch := if_match_failure(request.if_match, state)) is not None:
        return state, CommandOutcome(failure=mismatch)
    match command:
        case DeleteOrder():
            version = state.version + 1
            return Tombstone(version, now), CommandOutcome(version=version)
        case TriggerOrderAction():
            return state, _trigger(state, command, request)
        case _:
            return _change(state, command, request, now)


def _register(
    state: OrderState, command: RegisterOrder, request: CommandRequest, now: datetime
) -> tuple[OrderState, CommandOutcome]:
    if isinstance(state, LiveOrder):
        detail = f"An order with this orderId exists; job {state.registered_by} registered it."
        return state, _failed("OrderExists", detail)
    version = first_version(state, now)
    after = registered(command, version, request.job_id, now, request.size)
    return _limited(state, after, _applied(version, command, request))


def _change(
    state: LiveOrder, command: Change, request: CommandRequest, now: datetime
) -> tuple[OrderState, CommandOutcome]:
    # A sender that names the version has seen the changes that its own would overtake.
    if request.if_match is None and is_stale(state, command):
        return state, CommandOutcome(warnings=(STALE,))
    size = request.size if isinstance(command, Order) else state.size + request.size
    after = changed(state, command, request.job_id, now, size)
    return _limited(state, after, _applied(after.version, command, request))


def _trigger(
    state: LiveOrder, command: TriggerOrderAction, request: CommandRequest
) -> CommandOutcome:
    if command.version_tag != version_tag(state.job_id):
        # The API's description says 404, not 412: the path names a version that is gone.
        mismatch = failure("VersionMismatch", "The order has another versionTag.")
        return CommandOutcome(failure=mismatch.model_copy(update={"status": 404}))
    if request.suppress_actions:
        return CommandOutcome()
    action = ActionRequest(action=command.action, language=command.language, data=command.data)
    return CommandOutcome(action=action)


def _applied(
    version: int, command: RegisterOrder | Change, request: CommandRequest
) -> CommandOutcome:
    mismatch = isinstance(command, Order) and totals_mismatch(command)
    return CommandOutcome(
        version=version,
        action=None if request.suppress_actions else command.order_action,
        warnings=(TOTALS,) if mismatch else (),
    )


def _limited(
    before: OrderState, after: LiveOrder, outcome: CommandOutcome
) -> tuple[OrderState, CommandOutcome]:
    """
    Return *after*, or refuse it if it is larger than MAX_ORDER_BYTES.

    Its size is an estimate from the commands' bytes; the order is serialised and measured only
    where the estimate, and how much our notation may add to it, could exceed the limit.
    """
    if after.size > MAX_ORDER_BYTES // MAX_GROWTH:
        after = replace(after, size=len(after.order.to_json()))
    if after.size > MAX_ORDER_BYTES:
        return before, _failed("TooLarge", "The order would be larger than 768 KB.")
    return after, outcome


def _not_found() -> CommandOutcome:
    return _failed("OrderNotFound", "There is no order with this orderId.")


def _failed(code: str, detail: str) -> CommandOutcome:
    return CommandOutcome(failure=failure(code, detail))
