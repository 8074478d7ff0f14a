"""The commands for the data of a person: export it, erase it."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from order_stack.cli.options import JsonOption, err, out, print_json
from order_stack.cli.system_options import SystemOptions, on_a_system
from order_stack.cluster.state import write_privately
from order_stack.problems import StackProblem

if TYPE_CHECKING:
    from order_operations.privacy.erasure import ErasureReport

privacy_app = typer.Typer(no_args_is_help=True, help="What is known of a contact, and its end.")

ContactArgument = Annotated[
    str,
    typer.Argument(
        metavar="CONTACT", help="A contactId; - reads it from standard input, out of the history."
    ),
]


@privacy_app.callback()
def privacy_group() -> None:
    """What is known of a contact, and its end."""


@privacy_app.command("export")
@on_a_system
def export(
    system: SystemOptions,
    contact: ContactArgument,
    file: Annotated[
        Path | None, typer.Option("--out", help="Into this file, which only you may read.")
    ] = None,
) -> None:
    """Write everything that is known of a contact, as JSON."""
    from order_operations.privacy.contact_data import contact_data, counts_of

    known = contact_data(system.mongo_address(), _contact_id(contact))
    if file is None:
        print_json(known)
        return
    write_privately(file, json.dumps(known, indent=2, ensure_ascii=False).encode())
    print_json(counts_of(known))


@privacy_app.command("erase")
@on_a_system
def erase(
    system: SystemOptions,
    contact: ContactArgument,
    timeout: Annotated[float, typer.Option(help="Seconds that all of it may take.")] = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Delete a contact with its orders; exit code 1 where something of it is left, or pending."""
    from order_operations.privacy.erasure import erase_contact

    address = system.address()
    with err().status("Erasing, and waiting until every service has done its part"):
        report = erase_contact(address, _contact_id(contact), timeout)
    if as_json:
        print_json(dataclasses.asdict(report))
    else:
        _print(report)
    if report.left or report.pending:
        raise typer.Exit(1)


def _print(report: ErasureReport) -> None:
    lines = ["Not done: the enricher goes on to erase its orders."] if report.pending else []
    lines += [f"Still in MongoDB: {it}" for it in report.left] or [
        "MongoDB: no document of any collection holds one of its identifiers."
    ]
    lines += [f"Another contact has the same {it}: not searched for." for it in report.shared]
    lines += [f"A dead letter holds it, drop it and don't replay it: {it}" for it in report.letters]
    lines += [f"{topic}: {until}" for topic, until in report.ages_out.items()]
    for line in lines:
        out().print(Text(line))


def _contact_id(contact: str) -> str:
    found = sys.stdin.readline().strip() if contact == "-" else contact
    if not found:
        raise StackProblem("Name a contact, by its contactId.")
    return found
