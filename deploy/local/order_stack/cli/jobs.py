"""The command that lists or counts jobs by what became of them."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick
# ruff: noqa: PLR0913, PLR0917  each argument is an option of the command

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from order_contracts.job import Action, JobStatus
from order_stack.cli.options import (
    JsonOption,
    LimitOption,
    SinceAgoOption,
    TimeoutOption,
    err,
    out,
    print_json,
    since_of,
)
from order_stack.cli.printing.summaries import Counts, print_counts
from order_stack.cli.printing.tables import print_rows
from order_stack.cli.system_options import SystemOptions, on_a_system

if TYPE_CHECKING:
    from order_operations.connections.system_address import MongoAddress
    from order_operations.jobs.job_view import JobFilter

COLUMNS: Final = (
    *("jobId", "orderId", "status", "code", "operation", "enrichment", "action"),
    *("source", "client", "at"),
)
COUNT_COLUMNS: Final = (
    *("count", "status", "code", "operation", "enrichment", "action"),
    *("source", "client", "oldest", "newest"),
)


@on_a_system
def show_jobs(
    system: SystemOptions,
    status: Annotated[
        JobStatus | None, typer.Option("--status", case_sensitive=False, help="Of this status.")
    ] = None,
    code: Annotated[
        str | None, typer.Option("--code", help="That failed with it: OrderExists, …")
    ] = None,
    action: Annotated[
        Action | None, typer.Option("--action", help="Whose action is in this state.")
    ] = None,
    order: Annotated[str | None, typer.Option("--order", help="Of this orderId.")] = None,
    since: SinceAgoOption = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Count them by outcome and sender.")
    ] = False,
    limit: LimitOption = 100,
    timeout: TimeoutOption = 60.0,
    as_json: JsonOption = False,
) -> None:
    """List jobs, the newest first; or count them, the most frequent outcome first."""
    from order_operations.jobs.job_view import JobFilter

    after = since_of(since, datetime.now(UTC))
    wanted = JobFilter(status, code, action and str(action), order, after)
    if summary:
        _print_summary(system.mongo_address(), wanted, limit, timeout, as_json=as_json)
    else:
        _print_jobs(system.mongo_address(), wanted, limit, timeout, as_json=as_json)


def _print_jobs(
    address: MongoAddress, wanted: JobFilter, limit: int, timeout: float, *, as_json: bool
) -> None:
    from order_operations.jobs.job_view import row_of
    from order_operations.jobs.listing import SCANNED, newest_jobs

    page = newest_jobs(address, wanted, limit, timeout)
    rows = [row_of(it) for it in page.jobs]
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(rows, COLUMNS)
    else:
        out().print("No jobs.")
    if not page.complete:
        err().print(f"Only the newest {SCANNED} were looked at: --since or --order names fewer.")


def _print_summary(
    address: MongoAddress, wanted: JobFilter, limit: int, timeout: float, *, as_json: bool
) -> None:
    from order_operations.jobs.job_view import row_of
    from order_operations.jobs.listing import summarize

    found = summarize(address, wanted, timeout)
    counts = Counts([row_of(it) for it in found.groups], found.counted, found.complete)
    print_counts(counts, COUNT_COLUMNS, of="jobs", limit=limit, as_json=as_json)
