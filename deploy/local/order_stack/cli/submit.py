"""The command that registers a file of orders over HTTP."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from order_stack.cli.options import JsonOption, NameOption, out, print_json
from order_stack.cluster import state
from order_stack.problems import StackProblem


def submit(  # noqa: PLR0913, PLR0917  each is an option of the command
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One order a line.")],
    wait: Annotated[bool, typer.Option("--wait", help="Follow the jobs until settled.")] = False,
    refused: Annotated[
        Path | None, typer.Option(help="Where refused lines go; by default beside the file.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests at a time.")] = 32,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds without progress after which it gives up.")
    ] = 120.0,
    name: NameOption = "default",
    as_json: JsonOption = False,
) -> None:
    """
    Register the orders of a file.

    Exit code 1 where some got no answer or did not settle, or none was accepted.
    """
    import asyncio

    from order_operations import ndjson
    from order_stack.cli.printing import submit_tables
    from order_stack.submit import submission

    stack, _ = state.known(name)
    target = refused or file.with_name(f"{file.name.removesuffix('.ndjson')}.refused.ndjson")
    if target.resolve() == file.resolve():
        raise StackProblem("--refused names the file of orders itself; name another one.")
    orders = ndjson.text_lines_of(file)
    with submit_tables.ProgressBars() as bars:
        result = asyncio.run(
            submission.run(stack, orders, concurrency, timeout, bars, follow_jobs=wait)
        )
    figures = result.summary(submission.write_refused(result, target))
    if as_json:
        print_json(figures)
    else:
        out().print(submit_tables.summary(figures))
    if result.failed:
        raise typer.Exit(1)
