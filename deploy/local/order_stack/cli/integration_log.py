"""The command that lists or counts the entries of the integration log."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick
# ruff: noqa: PLR0913, PLR0917  each argument is an option of the command

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from order_stack.cli.options import (
    JsonOption,
    LimitOption,
    SinceAgoOption,
    TimeoutOption,
    out,
    print_json,
    since_of,
)
from order_stack.cli.printing.summaries import Counts, print_counts
from order_stack.cli.printing.tables import print_rows
from order_stack.cli.system_options import SystemOptions, on_a_system
from order_stack.problems import StackProblem

if TYPE_CHECKING:
    from order_operations.connections.system_address import MongoAddress
    from order_runtime.mongo.log_filter import LogFilter

COLUMNS: Final = (
    *("jobId", "orderId", "code", "cause", "source", "client"),
    *("at", "resolvedAt", "severity", "message", "proposedAction"),
)
COUNT_COLUMNS: Final = (
    *("count", "open", "code", "cause", "source", "client", "severity", "oldest", "newest"),
)


@on_a_system
def show_log(
    system: SystemOptions,
    code: Annotated[str | None, typer.Option("--code", help="ContactMissing, …")] = None,
    severity: Annotated[str | None, typer.Option("--severity", help="Warning or Error.")] = None,
    order: Annotated[str | None, typer.Option("--order", help="Of this orderId.")] = None,
    job: Annotated[str | None, typer.Option("--job", help="Of this job.")] = None,
    since: SinceAgoOption = None,
    only_open: Annotated[bool, typer.Option("--open", help="Not those that are resolved.")] = False,
    summary: Annotated[
        bool, typer.Option("--summary", help="Count them by code, cause and sender.")
    ] = False,
    limit: LimitOption = 100,
    timeout: TimeoutOption = 60.0,
    as_json: JsonOption = False,
) -> None:
    """List what is wrong with the data, the newest first; or count it, the most frequent first."""
    from order_contracts.integration_log import SEVERITIES
    from order_runtime.mongo.log_filter import LogFilter

    chosen = {it.lower(): it for it in SEVERITIES}
    if severity is not None and severity.lower() not in chosen:
        raise StackProblem(f"A severity is one of {', '.join(SEVERITIES)}.")
    after = since_of(since, datetime.now(UTC))
    graveness = chosen[severity.lower()] if severity else None
    wanted = LogFilter(code, graveness, order, job, after, only_open=only_open)
    if summary:
        _print_summary(system.mongo_address(), wanted, limit, timeout, as_json=as_json)
    else:
        _print_entries(system.mongo_address(), wanted, limit, timeout, as_json=as_json)


def _print_entries(
    address: MongoAddress, wanted: LogFilter, limit: int, timeout: float, *, as_json: bool
) -> None:
    from order_operations.jobs.integration_log import newest_entries
    from order_operations.json_values import json_of

    rows = json_of(newest_entries(address, wanted, limit, timeout))
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(rows, COLUMNS, wraps="message")
    else:
        out().print("No entries.")


def _print_summary(
    address: MongoAddress, wanted: LogFilter, limit: int, timeout: float, *, as_json: bool
) -> None:
    from order_operations.jobs.integration_log import summarize
    from order_operations.json_values import json_of

    found = summarize(address, wanted, timeout)
    counts = Counts(json_of(found.groups), found.counted, found.complete)
    print_counts(counts, COUNT_COLUMNS, of="entries", limit=limit, as_json=as_json)
