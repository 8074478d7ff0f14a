"""The commands for jobs whose event or action was lost with a topic: listed, and handled again."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import typer

from order_stack.cli.options import (
    JsonOption,
    SinceAgoOption,
    TimeoutOption,
    out,
    print_json,
    since_of,
)
from order_stack.cli.printing.tables import print_rows
from order_stack.cli.system_options import SystemOptions, on_a_system

if TYPE_CHECKING:
    from order_operations.jobs.unfinished import UnfinishedJob

COLUMNS: Final = ("jobId", "orderId", "operation", "lacks", "at")

unfinished_app = typer.Typer(
    no_args_is_help=True, help="Stored jobs whose event or action nobody received."
)


@unfinished_app.command("plan")
@on_a_system
def plan(
    system: SystemOptions,
    since: SinceAgoOption = "1d",
    timeout: TimeoutOption = 60.0,
    as_json: JsonOption = False,
) -> None:
    """List jobs without the enrichment or the delivery that they should have, the oldest first."""
    from order_operations.jobs.unfinished import unfinished_jobs

    after = since_of(since, datetime.now(UTC))
    _print(unfinished_jobs(system.mongo_address(), after, timeout), as_json=as_json)


@unfinished_app.command("apply")
@on_a_system
def apply(
    system: SystemOptions,
    since: SinceAgoOption = "1d",
    timeout: TimeoutOption = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Have the enricher handle what `plan` lists; its messages keep their ids."""
    from order_operations.jobs.unfinished import have_handled_again

    after = since_of(since, datetime.now(UTC))
    _print(have_handled_again(system.mongo_address(), after, timeout), as_json=as_json)


def _print(jobs: Sequence[UnfinishedJob], *, as_json: bool) -> None:
    from order_operations.json_values import json_of

    rows = [{name: it for name, it in json_of(job).items() if name in COLUMNS} for job in jobs]
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(rows, COLUMNS)
    else:
        out().print("Nothing is unfinished.")
