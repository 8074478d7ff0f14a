"""The command that says what happened to an order, a job or a delivery."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from order_stack.cli.options import JsonOption, err, out, print_json
from order_stack.cli.printing.tables import print_rows, printable
from order_stack.cli.system_options import SystemOptions, on_a_system

COLUMNS = ("at", "by", "what", "jobId")


@on_a_system
def explain(
    system: SystemOptions,
    subject: Annotated[
        str, typer.Argument(metavar="ORDER|JOB|DELIVERY", help="The id of one of them.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Tell what happened to an order, a job or a delivery, and what it waits for now."""
    from order_operations.explanation.explain import explain as explain_subject
    from order_operations.json_values import json_of

    found = explain_subject(system.mongo_address(), subject)
    if as_json:
        print_json(json_of(found))
        return
    if found.cut:
        err().print("There are more: these are the newest.")
    print_rows(json_of(found.events), COLUMNS, wraps="what")
    out().print()
    out().print(Text(printable(found.now)))
