"""The commands for deliveries: what became of each action, trying again, and shutting endpoints."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick
# ruff: noqa: PLR0913, PLR0917  each argument is an option of the command

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from order_contracts.order import ActionName
from order_stack.cli.options import JsonOption, NameOption, err, out, print_json, time_of
from order_stack.cluster import state
from order_stack.problems import StackProblem

if TYPE_CHECKING:
    from order_operations.deliveries import Deliveries, DeliveryFilter

MANY = 10  # deliveries, beyond which is asked

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
def list_deliveries(
    order: OrderOption = None,
    states: StateOption = None,
    action: ActionOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 100,
    name: NameOption = "default",
    as_json: JsonOption = False,
) -> None:
    """List deliveries, the newest first."""
    wanted = _wanted(None, order, states, action, since, until)
    box = _box(name)
    _print(box.found(wanted, limit), as_json=as_json)
    for endpoint in box.endpoints():
        if endpoint["state"] != "enabled":
            err().print(f"{endpoint['endpoint']} is {endpoint['state']}; its queue waits.")


@deliveries_app.command("show")
def show_delivery(
    action_id: Annotated[str, typer.Argument(metavar="ACTION-ID", help="As `list` shows it.")],
    name: NameOption = "default",
    as_json: JsonOption = False,
) -> None:
    """Show a delivery and each of its attempts, with the first bytes of the answer."""
    found = _box(name).one(action_id)
    if as_json:
        print_json(found)
        return
    attempts = found.pop("attempts")
    drawn = Table(box=None, show_header=False, pad_edge=False)
    for field, value in found.items():
        drawn.add_row(field, _cell(value))
    out().print(drawn, "", _table(attempts) if attempts else "No attempt yet.")


@deliveries_app.command("replay")
def replay(
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
    name: NameOption = "default",
    as_json: JsonOption = False,
) -> None:
    """Make failed deliveries pending again, due now, with a new schedule; attempts are kept."""
    from order_operations.deliveries import replayable

    if not any((ids, order, states, action, since, until)):
        raise StackProblem("Say which: action ids as `orders deliveries list` shows, or a filter.")
    chosen = replayable(states or (), delivered=delivered)
    wanted = _wanted(ids, order, chosen, action, since, until)
    box = _box(name)
    if dry_run:
        _print(box.found(wanted, box.count(wanted) or 1), as_json=as_json)
        return
    if not yes and (count := box.count(wanted)) > MANY:
        typer.confirm(f"Replay {count} deliveries?", abort=True, err=True)
    done = box.replay(wanted, datetime.now(UTC))
    if as_json:
        print_json({"replayed": done})
    else:
        out().print(f"{done} replayed.")


@deliveries_app.command("endpoints")
def list_endpoints(name: NameOption = "default", as_json: JsonOption = False) -> None:
    """List the endpoints: whether they are sent to, what goes there, and how many wait."""
    rows = _box(name).endpoints()
    if as_json:
        print_json(rows)
    else:
        out().print(_table(rows) if rows else "No action-trigger has told of any yet.")


@deliveries_app.command("enable")
def enable(endpoint: EndpointArgument, name: NameOption = "default") -> None:
    """Send to an endpoint again, also after it answered 410; what waits there goes out."""
    _move(endpoint, "enable", name)


@deliveries_app.command("disable")
def disable(endpoint: EndpointArgument, name: NameOption = "default") -> None:
    """Send nothing to an endpoint until it is enabled; its queue is kept."""
    _move(endpoint, "disable", name)


@deliveries_app.command("pause")
def pause(endpoint: EndpointArgument, name: NameOption = "default") -> None:
    """Send nothing to an endpoint for a while; its queue is kept."""
    _move(endpoint, "pause", name)


@deliveries_app.command("resume")
def resume(endpoint: EndpointArgument, name: NameOption = "default") -> None:
    """Send to an endpoint again that was paused; not to one that is disabled."""
    _move(endpoint, "resume", name)


def _move(endpoint: str, verb: str, name: str) -> None:
    became = _box(name).move(endpoint, verb, datetime.now(UTC))
    out().print(f"{endpoint} is {became}.")


def _box(name: str) -> Deliveries:
    from order_operations.deliveries import Deliveries

    stack, _ = state.known(name)
    return Deliveries(stack.mongo, stack.database)


def _wanted(
    ids: list[str] | None,
    order: str | None,
    states: Sequence[str] | None,
    action: list[ActionName] | None,
    since: str | None,
    until: str | None,
) -> DeliveryFilter:
    from order_operations.deliveries import DeliveryFilter
    from order_runtime.documents.deliveries import STATES

    if not set(states or ()) <= set(STATES):
        raise StackProblem(f"A state is one of {', '.join(STATES)}.")
    actions = [str(item) for item in action or ()]
    return DeliveryFilter(ids or (), order, states or (), actions, time_of(since), time_of(until))


def _print(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    columns = ("actionId", "orderId", "action", "state", "createdAt", "attempts", "lastStatus")
    shown = [{column: row[column] for column in columns} for row in rows]
    out().print(_table(shown) if shown else "No deliveries.")


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    drawn = Table(box=None, pad_edge=False)
    for column in rows[0]:
        drawn.add_column(column, overflow="fold", no_wrap=column == "actionId")
    for row in rows:
        drawn.add_row(*map(_cell, row.values()))
    return drawn


def _cell(value: object) -> Text:
    joined = " ".join(map(str, value)) if isinstance(value, list) else value
    return Text("" if joined is None else str(joined))
