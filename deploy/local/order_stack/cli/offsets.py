"""The commands for offsets: where the consumer groups go on, and how both databases agree on it."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from order_stack.cli.options import JsonOption, SinceAgoOption, out, print_json, since_of
from order_stack.cli.printing.tables import print_rows
from order_stack.cli.system_options import SystemOptions, on_a_system

if TYPE_CHECKING:
    from order_operations.consumers.offsets import PartitionPlan

COLUMNS = ("group", "topic", "partition", "kafka", "mongo", "next", "lost", "start", "end")

offsets_app = typer.Typer(
    no_args_is_help=True, help="Where the consumer groups go on, in Kafka and in MongoDB."
)


@offsets_app.command("plan")
@on_a_system
def plan(
    system: SystemOptions,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the partitions where nothing changes.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what `apply` would set: the lower of both offsets, for each group and partition."""
    from order_operations.consumers.offsets import plan_offsets

    found = plan_offsets(system.address())
    _print([it for it in found if everything or it.changes], as_json=as_json)


@offsets_app.command("apply")
@on_a_system
def apply(
    system: SystemOptions,
    accept_loss: Annotated[
        bool,
        typer.Option(
            "--accept-loss", help="Go on behind records that Kafka has deleted and MongoDB lacks."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Set what `plan` shows; the workers of those groups must be stopped."""
    from order_operations.consumers.offsets import apply_offsets

    _print(apply_offsets(system.address(), accept_loss=accept_loss), as_json=as_json)


@offsets_app.command("rewind")
@on_a_system
def rewind(
    system: SystemOptions,
    group: Annotated[str, typer.Argument(metavar="GROUP", help="As `orders lag` names it.")],
    topic: Annotated[str, typer.Option("--topic", help="One that the group reads.")],
    since: SinceAgoOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Have a stopped group read a topic again, from --since on or from its beginning.

    What was done is recognised, and not done again.
    """
    from order_operations.consumers.rewind import rewind_offsets
    from order_operations.json_values import json_of

    after = since_of(since, datetime.now(UTC))
    rows = json_of(rewind_offsets(system.kafka_address(), group, topic, after))
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(rows, ("group", "topic", "partition", "kafka", "next"))
    else:
        out().print("There is nothing to read again.")


def _print(found: Sequence[PartitionPlan], *, as_json: bool) -> None:
    from order_operations.json_values import json_of

    rows = [json_of(it) for it in found]
    if as_json:
        print_json(rows)
        return
    if rows:
        print_rows(
            [{it: "-" if row[it] is None else row[it] for it in COLUMNS} for row in rows], COLUMNS
        )
    else:
        out().print("Kafka and MongoDB agree: nothing to set.")
