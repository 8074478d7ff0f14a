"""The commands for deliveries: list, show and replay them, open and shut their endpoints."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick
# ruff: noqa: PLR0913, PLR0917  each argument is an option of the command

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.text import Text

from order_contracts.order import ActionName
from order_stack.cli.options import JsonOption, err, out, print_json, time_of
from order_stack.cli.printing.tables import print_pairs, print_rows
from order_stack.cli.system_options import SystemOptions, on_a_system
from order_stack.problems import StackProblem

if TYPE_CHECKING:
    from order_operations.deliveries.delivery_view import Delivery, DeliveryFilter
    from order_operations.deliveries.store import Deliveries, EndpointCommand

COLUMNS: Final = (
    *("actionId", "orderId", "state", "dueAt", "lastStatus"),
    *("attempts", "action", "createdAt", "jobId"),
)
ATTEMPT_COLUMNS: Final = ("at", "status", "outcome", "milliseconds", "answer")
ENDPOINT_COLUMNS: Final = (
    *("endpoint", "state", "by", "since"),
    *("circuit", "circuitSince", "circuitWorkers", "nextProbeAt"),
    *("lastStatus", "lastReason", "lastAnswerAt"),
    *("waiting", "oldestWaiting", "oldestWaitingAt", "actions", "host"),
)
MANY = 10  # deliveries, above which a replay asks first

deliveries_app = typer.Typer(
    no_args_is_help=True, help="Order actions on their way to the automation trigger."
)

IdsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[ACTION-ID…]", help="As `list` shows them.")
]
OrderOption = Annotated[str | None, typer.Option("--order", help="Of this orderId.")]
StateOption = Annotated[
    list[str] | None,
    typer.Option("--state", help="pending, delivered, failed or dropped; several may be given."),
]
ActionOption = Annotated[
    list[ActionName] | None, typer.Option("--action", help="ConfirmOrder, …; several may be given.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", help="Whose action came then or later (RFC 3339).")
]
UntilOption = Annotated[
    str | None, typer.Option("--until", help="Whose action came before that (RFC 3339).")
]
EndpointArgument = Annotated[
    str, typer.Argument(metavar="ENDPOINT", help="`default`, or an action with a table of its own.")
]


@deliveries_app.command("list")
@on_a_system
def list_deliveries(
    system: SystemOptions,
    order: OrderOption = None,
    states: StateOption = None,
    action: ActionOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List deliveries, the newest first."""
    wanted = _filter(None, order, states, action, since, until)
    with _deliveries(system) as deliveries:
        _print(deliveries.newest(wanted, limit), as_json=as_json)
        for endpoint, state in deliveries.endpoint_states().items():
            if state != "enabled":
                err().print(f"{endpoint} is {state}; its queue waits.")


@deliveries_app.command("show")
@on_a_system
def show_delivery(
    system: SystemOptions,
    action_id: Annotated[str, typer.Argument(metavar="ACTION-ID", help="As `list` shows it.")],
    as_json: JsonOption = False,
) -> None:
    """Show a delivery and each of its attempts, with the first bytes of the answer."""
    from order_operations.json_values import json_of

    with _deliveries(system) as deliveries:
        delivery, attempts = map(json_of, deliveries.one(action_id))
    if as_json:
        print_json({**delivery, "attempts": attempts})
        return
    print_pairs([(field, value) for field, value in delivery.items() if field != "attempts"])
    out().print()
    if attempts:
        print_rows(attempts, ATTEMPT_COLUMNS, wraps="answer")
    else:
        out().print("No attempt yet.")


@deliveries_app.command("replay")
@on_a_system
def replay(
    system: SystemOptions,
    ids: IdsArgument = None,
    order: OrderOption = None,
    states: StateOption = None,
    action: ActionOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    delivered: Annotated[
        bool, typer.Option("--delivered", help="Also what was delivered: it is sent once more.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show which, and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help=f"Don't ask, also above {MANY}.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make failed deliveries pending again, due now, with a new schedule; attempts are kept."""
    from order_operations.deliveries.delivery_view import replayable_states

    if not any((ids, order, states, action, since, until)):
        raise StackProblem("Say which: action ids as `orders deliveries list` shows, or a filter.")
    replayable = replayable_states(states or (), delivered=delivered)
    wanted = _filter(ids, order, replayable, action, since, until)
    with _deliveries(system) as deliveries:
        left_out = {it.action_id: it.reason for it in deliveries.left_out(wanted)}
        if dry_run:
            _print(deliveries.newest(wanted, deliveries.count(wanted) or 1), as_json=as_json)
            _print_left_out(left_out)
            return
        if not yes and (count := deliveries.count(wanted)) > MANY:
            typer.confirm(f"Replay {count} deliveries?", abort=True, err=True)
        replayed = deliveries.replay(wanted, datetime.now(UTC))
    if as_json:
        print_json({"replayed": replayed, "notReplayed": left_out})
    else:
        out().print(f"{replayed} replayed.")
        _print_left_out(left_out)


def _print_left_out(reasons: Mapping[str, str]) -> None:
    for action_id, reason in reasons.items():
        err().print(Text(f"{action_id} isn't replayed: {reason}."))


@deliveries_app.command("endpoints")
@on_a_system
def list_endpoints(system: SystemOptions, as_json: JsonOption = False) -> None:
    """List the endpoints: whether they are sent to and answer, what goes there, what waits."""
    from order_operations.json_values import json_of

    with _deliveries(system) as deliveries:
        rows = json_of(deliveries.endpoints())
    if as_json:
        print_json(rows)
    elif not rows:
        out().print("No action-trigger has told of any yet.")
    elif out().is_terminal:
        for row in rows:
            print_pairs([(it, row[it]) for it in ENDPOINT_COLUMNS if row[it] is not None])
            out().print()
    else:
        print_rows(rows, ENDPOINT_COLUMNS)


@deliveries_app.command("enable")
@on_a_system
def enable(system: SystemOptions, endpoint: EndpointArgument) -> None:
    """Send to an endpoint again, also after it answered 410; what waits there goes out."""
    _move(system, endpoint, "enable")


@deliveries_app.command("disable")
@on_a_system
def disable(system: SystemOptions, endpoint: EndpointArgument) -> None:
    """Send nothing to an endpoint until it is enabled; its queue is kept."""
    _move(system, endpoint, "disable")


@deliveries_app.command("pause")
@on_a_system
def pause(system: SystemOptions, endpoint: EndpointArgument) -> None:
    """Send nothing to an endpoint for a while; its queue is kept."""
    _move(system, endpoint, "pause")


@deliveries_app.command("resume")
@on_a_system
def resume(system: SystemOptions, endpoint: EndpointArgument) -> None:
    """Send to an endpoint again that was paused; not to one that is disabled."""
    _move(system, endpoint, "resume")


def _move(system: SystemOptions, endpoint: str, command: EndpointCommand) -> None:
    from order_operations.deliveries.store import EndpointShut

    with _deliveries(system) as deliveries:
        try:
            state = deliveries.move(endpoint, command, datetime.now(UTC))
        except EndpointShut as shut:
            way_out = f"`orders deliveries enable {endpoint}` opens it"
            raise StackProblem(f"{str(shut).rstrip('.')}; {way_out}.") from shut
    out().print(f"{endpoint} is {state}.")


def _deliveries(system: SystemOptions) -> Deliveries:
    from order_operations.deliveries.store import Deliveries

    return Deliveries(system.mongo_address())


def _filter(
    ids: list[str] | None,
    order: str | None,
    states: Sequence[str] | None,
    action: list[ActionName] | None,
    since: str | None,
    until: str | None,
) -> DeliveryFilter:
    from order_operations.deliveries.delivery_view import DeliveryFilter
    from order_runtime.documents.deliveries import STATES

    if not set(states or ()) <= set(STATES):
        raise StackProblem(f"A state is one of {', '.join(STATES)}.")
    actions = [str(item) for item in action or ()]
    return DeliveryFilter(ids or (), order, states or (), actions, time_of(since), time_of(until))


def _print(deliveries: Sequence[Delivery], *, as_json: bool) -> None:
    from order_operations.json_values import json_of

    rows = json_of(deliveries)
    if as_json:
        print_json(rows)
        return
    if rows:
        print_rows(rows, COLUMNS)
    else:
        out().print("No deliveries.")
