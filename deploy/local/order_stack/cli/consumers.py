"""The commands that pause consumer groups, and let them go on."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

from datetime import UTC, datetime
from getpass import getuser
from typing import Annotated, Final

import typer

from order_contracts.times import rfc3339
from order_stack.cli.options import JsonOption, out, print_json
from order_stack.cli.printing.tables import print_rows
from order_stack.cli.system_options import SystemOptions, on_a_system

COLUMNS: Final = ("group", "topic", "since", "by")

consumers_app = typer.Typer(
    no_args_is_help=True, help="The consumer groups: paused for a while, and resumed."
)

GroupArgument = Annotated[
    str, typer.Argument(metavar="GROUP", help="order-writer, enricher or action-trigger.")
]
TopicOption = Annotated[str | None, typer.Option("--topic", help="Only this topic of the group's.")]


@consumers_app.command("list")
@on_a_system
def list_pauses(system: SystemOptions, as_json: JsonOption = False) -> None:
    """List what is paused, since when and by whom."""
    from order_operations.consumers.pauses import pauses
    from order_operations.json_values import json_of

    rows = json_of(pauses(system.mongo_address()))
    if as_json:
        print_json(rows)
    elif rows:
        print_rows([{**row, "topic": row["topic"] or "all"} for row in rows], COLUMNS)
    else:
        out().print("No consumer group is paused.")


@consumers_app.command("pause")
@on_a_system
def pause(
    system: SystemOptions,
    group: GroupArgument,
    topic: TopicOption = None,
    by: Annotated[
        str | None, typer.Option("--by", help="Who pauses it; your login by default.")
    ] = None,
) -> None:
    """Let a group take nothing more; what its workers have in hand is finished."""
    from order_operations.consumers.pauses import pause

    made = pause(system.mongo_address(), group, topic, by or getuser(), datetime.now(UTC))
    of = topic or "all of its topics"
    out().print(f"{group} is paused on {of} since {rfc3339(made.since)}, by {made.by}.")


@consumers_app.command("resume")
@on_a_system
def resume(system: SystemOptions, group: GroupArgument, topic: TopicOption = None) -> None:
    """Let a group go on where it was; without --topic, with all of its topics."""
    from order_operations.consumers.pauses import resume

    ended = resume(system.mongo_address(), group, topic)
    out().print(f"{group} goes on." if ended else f"{group} was not paused.")
