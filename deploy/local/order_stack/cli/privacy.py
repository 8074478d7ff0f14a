"""The commands for what is known of a person: show all of it, erase all of it."""

# ruff: noqa: PLC0415  a command imports only what it needs, so that the quick ones are quick

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from order_stack.cli.options import JsonOption, NameOption, err, out, print_json
from order_stack.cluster import state
from order_stack.cluster.state import write_privately
from order_stack.problems import StackProblem

if TYPE_CHECKING:
    from order_operations.contact_erasure import Report

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
def export(
    contact: ContactArgument,
    file: Annotated[
        Path | None, typer.Option("--out", help="Into this file, which only you may read.")
    ] = None,
    name: NameOption = "default",
) -> None:
    """Write everything that is known of a contact, as JSON."""
    from order_operations import contact_data

    stack, _ = state.known(name)
    known = contact_data.known_of(stack, _named(contact))
    if file is None:
        typer.echo(contact_data.written(known))
        return
    write_privately(file, contact_data.written(known).encode())
    print_json(contact_data.counted(known))


@privacy_app.command("erase")
def erase(
    contact: ContactArgument,
    timeout: Annotated[float, typer.Option(help="Seconds that all of it may take.")] = 120.0,
    name: NameOption = "default",
    as_json: JsonOption = False,
) -> None:
    """Delete a contact with its orders; exit code 1 where a search finds something of it left."""
    from order_operations import contact_erasure

    stack, _ = state.known(name)
    with err().status("Erasing, and waiting until every service has done its part"):
        report = contact_erasure.erase(stack, _named(contact), timeout)
    if as_json:
        print_json(dataclasses.asdict(report))
    else:
        _print(report)
    if report.left:
        raise typer.Exit(1)


def _print(report: Report) -> None:
    lines = [f"Still in MongoDB: {it}" for it in report.left] or [
        "MongoDB: no document of any collection holds one of its identifiers."
    ]
    lines += [f"A dead letter holds it, drop it and don't replay it: {it}" for it in report.letters]
    lines += [f"{topic}: {until}" for topic, until in report.ages_out.items()]
    for line in lines:
        out().print(Text(line))


def _named(contact: str) -> str:
    found = sys.stdin.readline().strip() if contact == "-" else contact
    if not found:
        raise StackProblem("Name a contact, by its contactId.")
    return found
