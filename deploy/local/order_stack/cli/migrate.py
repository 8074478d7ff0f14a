"""The commands that make a database what this release wants: its indexes and documents."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from order_contracts.topics import MIGRATOR
from order_stack.cli.options import JsonOption, err, out, print_json
from order_stack.cli.system_options import SystemOptions, on_a_system

if TYPE_CHECKING:
    from order_operations.migrations.schema import PlannedStep

COLUMNS = ("kind", "collection", "name", "documents", "detail")

migrate_app = typer.Typer(
    no_args_is_help=True, help="The database's indexes and documents, as this release wants them."
)


@migrate_app.command("plan")
@on_a_system
def plan(system: SystemOptions, as_json: JsonOption = False) -> None:
    """Show what `apply` would do; reads all documents of a collection whose documents change."""
    _print(system, as_json=as_json)


@migrate_app.command("apply")
@on_a_system
def apply(
    system: SystemOptions,
    drop_retired: Annotated[
        bool,
        typer.Option(
            "--drop-retired",
            help="Also drop the indexes that only services of an earlier release use.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show it, as `plan`.")] = False,
) -> None:
    """Do it; services may run meanwhile. Interrupted, it goes on when it is said again."""
    from order_operations.migrations.schema import apply as apply_migrations

    if dry_run:
        _print(system, as_json=False)
        return
    apply_migrations(system.mongo_address(MIGRATOR), _report, drop_retired=drop_retired)
    out().print("The database is what this release wants.")


def _report(line: str) -> None:
    err().print(Text(line))


def _print(system: SystemOptions, *, as_json: bool) -> None:
    from order_operations.json_values import json_of
    from order_operations.migrations.schema import plan as plan_migrations

    found: Sequence[PlannedStep] = plan_migrations(system.mongo_address(MIGRATOR))
    rows = [json_of(it) for it in found]
    if as_json:
        print_json(rows)
        return
    table = Table(*COLUMNS, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(row[it]) for it in COLUMNS))
    out().print(table if rows else "The database is what this release wants: nothing to do.")
